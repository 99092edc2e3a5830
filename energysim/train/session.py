"""What `energysim train` does: workloads x seeds, each a resumable run, and a line per workload."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energysim.train.data import Data, open_data
from energysim.train.dual import fit_dual, is_dual
from energysim.train.hooks import Hook
from energysim.train.loop import fit
from energysim.train.models import about_run, fitted_workload, load_trained
from energysim.train.recipe import Recipe
from energysim.train.result import RunResult
from energysim.train.summary import DeviceCost, ModelSummary, device_cost, summarize

if TYPE_CHECKING:
    from lightning_fabric import Fabric

MakeHooks = Callable[[], Sequence[Hook]]


@dataclass(frozen=True)
class Session:
    """``out``: one directory per workload with one per seed in it. ``limit_batches``: a dry run of so many steps per
    epoch; ``arch``: the device whose cost stands beside the accuracy; ``make_hooks``: hooks, fresh for every run;
    ``own_recipes``: of workloads that are not trained with ``recipe`` (the precision is the same for all)."""

    workloads: tuple[str, ...]
    recipe: Recipe
    recipe_name: str
    data: str
    out: Path
    seeds: tuple[int, ...] = (0,)
    root: Path = Path("data")
    image_size: int | None = None
    verified: bool = True
    workers: int = 0
    limit_batches: int | None = None
    resume: bool = True
    arch: str | None = None
    make_hooks: MakeHooks = tuple
    own_recipes: Mapping[str, Recipe] = field(default_factory=dict)
    _opened: dict[tuple[int, int | None], Data] = field(default_factory=dict, compare=False, repr=False)

    def opened(self, seed: int, workload: str | None = None) -> Data:
        """The data set, split by the seed; of a dry run as much as it sees (of ``workload``)."""
        batch = (self.recipe if workload is None else self.recipe_of(workload)).batch
        limit = None if self.limit_batches is None else self.limit_batches * batch
        if (seed, limit) not in self._opened:
            self._opened[seed, limit] = open_data(
                self.data,
                self.root,
                image_size=self.image_size,
                seed=seed,
                limit=limit,
                verified=self.verified,
                workers=self.workers,
            )
        return self._opened[seed, limit]

    def recipe_of(self, workload: str) -> Recipe:
        return self.own_recipes.get(workload, self.recipe)

    def directory(self, workload: str, seed: int) -> Path:
        return self.out / _as_file_name(workload) / f"seed{seed}"


def run_session(
    session: Session,
    fabric: Fabric,
    progress: Callable[[str], Callable[[int, int, str], None] | None],
    warn: Callable[[str], None],
) -> Iterator[tuple[RunResult, ...]]:
    """The results of one workload after the other, over all seeds. ``progress`` makes a run's callback from its name.

    All workloads are built before the first run begins, so that a wrong name costs no training. Raises what
    ``open_data``, ``fitted_workload`` and ``fit`` raise.
    """
    first = session.opened(session.seeds[0])
    built = [(spec, fitted_workload(spec, first)) for spec in session.workloads]
    for _, workload in built:
        workload.model()
    for spec, workload in built:
        results = []
        for seed in session.seeds:
            data = session.opened(seed, spec)
            options: dict[str, Any] = {
                "resume": session.resume,
                "hooks": session.make_hooks(),
                "about": about_run(spec, workload, data, session.recipe_name),
                "progress": progress(f"{workload.name} seed {seed}"),
                "warn": warn,
            }
            assert workload.build is not None
            recipe, directory = session.recipe_of(spec), session.directory(spec, seed)
            results.append(_one(workload.build, recipe, data, directory, seed, fabric, options))
        yield tuple(results)


def _one(
    factory: Any, recipe: Recipe, data: Data, directory: Path, seed: int, fabric: Fabric, options: dict[str, Any]
) -> RunResult:
    def run(model_factory: Any, part: Recipe, run_dir: Path, **more: Any) -> RunResult:
        return fit(model_factory, part, data, run_dir, seed, fabric=fabric, **more)

    if is_dual(factory, recipe):
        result: RunResult = fit_dual(run, factory, recipe, directory, **options)
        return result
    return run(factory, recipe, directory, **options)


def summary_of(results: Sequence[RunResult], arch: str | None) -> ModelSummary:
    """One line of the table; the cost is that of the network as the first seed's run left it."""
    return summarize(results, None if arch is None else cost_of(Path(results[0].directory), arch))


def cost_of(run_dir: Path, arch: str) -> DeviceCost:
    """Cost on a device of the network that a finished run left: pruned and quantized where the run did that."""
    return device_cost(load_trained(run_dir).traceable(), arch)


def _as_file_name(workload: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in workload)
