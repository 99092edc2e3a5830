"""Estimators of energies per action, by name, and the one entry point: ``estimate``.

What the architecture states always wins; an estimator is asked only for what is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Compute, Energy, Memory
from energysim.energy.actions import ActionEnergies, ComputeEnergies, MemoryEnergies
from energysim.errors import EnergySimError, NotFoundError, SpecError, did_you_mean


class Estimator(Protocol):
    """Energy of one access of ``access_bits`` bits (pJ), leakage of one instance, and of one MAC."""

    def memory(
        self, memory: Memory, access_bits: int, node_nm: float | None
    ) -> tuple[Sourced, Sourced, Sourced | None]:
        """Read pJ, write pJ, leakage W (None: not modelled)."""
        ...

    def mac(self, compute: Compute, bits: int, node_nm: float | None) -> tuple[Sourced, Sourced | None]:
        """pJ of one MAC, leakage W (None: not modelled)."""
        ...


class Arrived(NamedTuple):
    """What an estimator knows of a whole architecture: an estimator of its components, areas (um^2), what it said."""

    model: Estimator
    areas_um2: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()


class WholeEstimator(Protocol):
    """An estimator that is asked once for a whole architecture."""

    def of(self, arch: ArchSpec) -> Arrived: ...


_ESTIMATORS: dict[str, Callable[[], Estimator | WholeEstimator]] = {}


def estimator[T: Callable[[], Estimator | WholeEstimator]](name: str) -> Callable[[T], T]:
    """Registers a class or factory under a name. Raises ValueError if the name is taken."""

    def register(factory: T) -> T:
        if name in _ESTIMATORS:
            raise ValueError(f"estimator {name!r} is registered twice")
        _ESTIMATORS[name] = factory
        return factory

    return register


def estimators() -> tuple[str, ...]:
    """Names of the registered estimators."""
    return tuple(_ESTIMATORS)


def check_estimator(name: str) -> None:
    """Raises NotFoundError where no estimator has the name."""
    if name not in _ESTIMATORS:
        hint = did_you_mean(name, _ESTIMATORS) or f"one of {', '.join(_ESTIMATORS)}"
        raise NotFoundError(f"no estimator named {name!r}", hint=hint)


def need_node(node_nm: float | None, component: str) -> float:
    """The technology node, for estimators that cannot do without."""
    if node_nm is None:
        raise SpecError(
            f"{component} states no energy, and the architecture no technology to estimate it for",
            hint="'technology: 45 nm' at the top of the file, or an energy at the node",
        )
    return node_nm


def access_bits_of(memory: Memory, default_bits: int) -> int:
    """Bits of one physical access: stated, else of one word."""
    return memory.access_bits or memory.word_bits or default_bits


def estimate(arch: ArchSpec, estimator: str = "table") -> ActionEnergies:
    """Energy per action of every component of an architecture.

    Raises:
        NotFoundError: no such estimator.
        UnavailableError: it needs a package that is not installed.
        EnergySimError: a component that it has no model for, and that states no energy itself.
    """
    check_estimator(estimator)
    made = _ESTIMATORS[estimator]()
    known = made.of(arch) if hasattr(made, "of") else Arrived(made)
    model = known.model
    memories = tuple(_memory(model, memory, arch) for memory in arch.memories)
    return ActionEnergies(
        arch.name, estimator, memories, _compute(model, arch), areas_um2=known.areas_um2, notes=known.notes
    )


def _memory(model: Estimator, memory: Memory, arch: ArchSpec) -> MemoryEnergies:
    bits = access_bits_of(memory, arch.default_bits)
    read, write, leakage = memory.read_energy, memory.write_energy, memory.leakage_w
    if read is None or write is None:
        estimated = _asked(partial(model.memory, memory, bits, arch.technology_nm), memory.name, arch)
        read = read or Energy(estimated[0], bits)
        write = write or Energy(estimated[1], bits)
        leakage = leakage or estimated[2]
    return MemoryEnergies(memory.name, read, write, memory.update_energy or write, leakage)


def _compute(model: Estimator, arch: ArchSpec) -> ComputeEnergies:
    compute = arch.compute
    widths = sorted({bits for bits, _ in compute.macs_per_cycle} | {compute.bits})
    leakage = compute.leakage_w
    energies: list[tuple[int, Energy]] = []
    for bits in widths:
        if compute.mac_energy is not None:
            energies.append((bits, _stated_mac(compute, compute.mac_energy, bits)))
        else:
            pj, leak = _asked(partial(model.mac, compute, bits, arch.technology_nm), compute.name, arch)
            leakage = leakage or leak
            energies.append((bits, Energy(pj, bits)))
    return ComputeEnergies(compute.name, tuple(energies), leakage)


def _stated_mac(compute: Compute, stated: Energy, bits: int) -> Energy:
    """The stated energy; at another width that the unit supports it follows the area of a multiplier, bits squared."""
    if bits == compute.bits:
        return stated
    scaled = stated.pj.scaled((bits / compute.bits) ** 2)
    text = f"{scaled.source}; from {compute.bits} to {bits} b quadratically"
    low, high = sorted((scaled.value, stated.pj.value))
    pj = Sourced(scaled.value, min(low, scaled.low), max(high, scaled.high), text, True)
    return Energy(pj, bits)


def _asked[T](ask: Callable[[], T], component: str, arch: ArchSpec) -> T:
    """The estimator's answer; its refusal says which component of which architecture it was about."""
    try:
        return ask()
    except EnergySimError as error:
        if error.what.startswith(component):
            raise
        raise type(error)(f"{arch.name}, {component}: {error.what}", where=error.where, hint=error.hint) from None
