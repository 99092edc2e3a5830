"""Work in order, several pieces at a time where an engine can use it (one that runs other programs)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from energysim.programs import resume, stop_all


def in_order[Item, Result](work: Callable[[Item], Result], items: Iterable[Item], jobs: int) -> Iterator[Result]:
    """``map(work, items)`` with up to ``jobs`` threads. On an error or Ctrl-C the rest is dropped and running programs
    are stopped."""
    if jobs <= 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(jobs)
    try:
        for future in [pool.submit(work, item) for item in items]:
            yield future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        stop_all()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        resume()
