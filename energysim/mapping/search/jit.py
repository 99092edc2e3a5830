"""Numba's decorators with types. Compiled code is cached next to the source (or in the user's cache directory)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from numba import njit


def compiled[Function: Callable[..., object]](function: Function) -> Function:
    """Machine code that may allocate arrays."""
    return cast(Function, njit(cache=True, nogil=True)(function))


def lean[Function: Callable[..., object]](function: Function) -> Function:
    """Machine code without reference counting, which would cost more than the arithmetic: it must not allocate."""
    return cast(Function, njit(cache=True, nogil=True, _nrt=False)(function))  # type: ignore[call-overload]


def inlined[Function: Callable[..., object]](function: Function) -> Function:
    """Like :func:`lean`, merged into its callers. Only compiled code can call it: without wrappers and files of its own
    it compiles a third faster."""
    options = {"nogil": True, "forceinline": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast(Function, njit(**options)(function))  # type: ignore[call-overload]
