"""The published hwcomponents libraries behind the estimator interface: live CACTI for memories, Aladdin for logic.

Optional: ``pip install energysim-edge[hwcomponents]``. Nothing of it is imported before an estimate is asked for. It
models 22 to 180 nm; the range of every value is a factor of 2, as in the table estimator.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from energysim.arch.sourced import Sourced
from energysim.arch.spec import Compute, Memory
from energysim.energy.estimators import estimator, need_node
from energysim.energy.regfile import SMALLEST_SRAM_BYTES
from energysim.errors import EnergySimError, UnavailableError

_SPREAD = 2.0
_HINT = "pip install energysim-edge[hwcomponents]"


@estimator("hwcomponents")
class HwcomponentsEstimator:
    """Loads the libraries when made. Raises UnavailableError, with the extra's name, where they are not installed."""

    def __init__(self) -> None:
        self._cacti = _load("hwcomponents_cacti")
        self._aladdin = _load("hwcomponents_library.library.aladdin")

    def memory(
        self, memory: Memory, access_bits: int, node_nm: float | None
    ) -> tuple[Sourced, Sourced, Sourced | None]:
        """Read pJ, write pJ and leakage W of one instance."""
        if memory.kind == "dram":
            return self._dram(memory, access_bits)
        if memory.capacity_bits is None:
            raise EnergySimError(f"{memory.name} has no capacity", hint="its energy depends on it: 'capacity: 64 KiB'")
        node_m = need_node(node_nm, memory.name) * 1e-9
        if memory.capacity_bits < SMALLEST_SRAM_BYTES * 8:
            register = _run("Aladdin", lambda: self._aladdin.AladdinRegister(tech_node=node_m, width=access_bits))
            text = f"hwcomponents-library, Aladdin register, {access_bits} b (word selection not included)"
            rows = memory.capacity_bits / access_bits
            leak = _sourced(float(register.leak_power) * rows, text)
            return _energy(register.read(), text), _energy(register.write(), text), leak
        text = f"hwcomponents-cacti, {memory.capacity_bits / 8:g} B x {access_bits} b, {memory.banks} banks"
        sram = _run(
            "CACTI",
            lambda: self._cacti.SRAM(
                tech_node=node_m, width=access_bits, size=memory.capacity_bits, n_banks=memory.banks
            ),
        )
        read, write = _run("CACTI", lambda: (sram.read(), sram.write()))
        return _energy(read, text), _energy(write, text), _sourced(float(sram.leak_power), text)

    def mac(self, compute: Compute, bits: int, node_nm: float | None) -> tuple[Sourced, Sourced | None]:
        """pJ of one MAC and its leakage. The libraries have no floating-point unit."""
        if compute.kind != "int":
            hint = "--estimator table, or an energy in the architecture"
            raise EnergySimError(f"hwcomponents has no {compute.kind} unit for {compute.name}", hint=hint)
        node_m = need_node(node_nm, compute.name) * 1e-9
        text = f"hwcomponents-library, Aladdin: {bits} b multiply + {2 * bits} b add"
        multiplier = _run("Aladdin", lambda: self._aladdin.AladdinMultiplier(tech_node=node_m, width=bits))
        adder = _run("Aladdin", lambda: self._aladdin.AladdinAdder(tech_node=node_m, width=2 * bits))
        pj = 1e12 * (float(multiplier.multiply().energy) + float(adder.add().energy))
        return _sourced(pj, text), _sourced(float(multiplier.leak_power) + float(adder.leak_power), text)

    def _dram(self, memory: Memory, access_bits: int) -> tuple[Sourced, Sourced, Sourced | None]:
        model = getattr(self._cacti, (memory.technology or "").upper(), None)
        if model is None:
            hint = "LPDDR, LPDDR4, DDR3, HBM2, HBM3 or HBM4; or an energy in the architecture"
            raise EnergySimError(f"hwcomponents has no DRAM of technology {memory.technology!r}", hint=hint)
        # The energy is per bit, but the library refuses a bus wider than a channel of its type.
        width = min(access_bits, 64)
        dram = _run("DRAM", lambda: model(width=width))
        text, share = f"hwcomponents-cacti, {memory.technology}", access_bits / width
        return _energy(dram.read(), text).scaled(share), _energy(dram.write(), text).scaled(share), None


def _load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnavailableError(f"the estimator 'hwcomponents' needs {error.name or name}", hint=_HINT) from None


def _run[T](model: str, call: Callable[[], T]) -> T:
    """A library call; whatever it raises (it uses bare Exception) becomes one clear error."""
    try:
        return call()
    except Exception as error:
        reason = str(error).strip().splitlines()[-1][:200] if str(error).strip() else type(error).__name__
        hint = (
            "its CACTI program needs a recent C library; '--estimator table' needs none" if model == "CACTI" else None
        )
        raise UnavailableError(f"hwcomponents' {model} model failed: {reason}", hint=hint) from error


def _energy(cost: Any, source: str) -> Sourced:
    """pJ of an ActionCost (J)."""
    return _sourced(float(cost.energy) * 1e12, source)


def _sourced(value: float, source: str) -> Sourced:
    return Sourced(value, value / _SPREAD, value * _SPREAD, source)
