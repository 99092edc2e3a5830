"""The calibrated architecture as YAML: the original file with every fitted number, its interval and its provenance."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from energysim.arch.schema import OP_CLASSES
from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec
from energysim.calibration.fit import Fitted
from energysim.calibration.models import BANDWIDTH, DRAM, IDLE, LAUNCH, MAC, ON_CHIP
from energysim.energy import ActionEnergies
from energysim.spec_files import SpecFile


@dataclass(frozen=True, slots=True)
class Origin:
    """Where fitted numbers come from: goes into the source of each."""

    file: str
    measurements: int
    date: str
    version: str

    def __str__(self) -> str:
        return (
            f"fitted to n={self.measurements} measurements in {self.file} by energysim {self.version} on {self.date}; "
            "low and high are the 95 % interval"
        )


def calibrated_text(
    spec: SpecFile,
    arch: ArchSpec,
    energies: ActionEnergies,
    name: str,
    fitted: Iterable[Fitted],
    origins: Mapping[str, Origin],
) -> str:
    """The text of the new file. ``origins``: by name of the constant."""
    data = copy.deepcopy(spec.data)
    data["name"] = name
    done = []
    for constant in fitted:
        source = str(origins[constant.name])
        _put(data, arch, energies, constant, source)
        done.append(constant.name)
    notes = [note for note in data.get("assumptions") or [] if "uncalibrated" not in note]
    data["assumptions"] = [*notes, f"calibrated from {arch.name}: {', '.join(done)}; every other number is as before"]
    text = io.StringIO()
    yaml = YAML(typ="rt")
    yaml.width, yaml.preserve_quotes = 160, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(data, text)
    return text.getvalue()


def _put(data: Any, arch: ArchSpec, energies: ActionEnergies, constant: Fitted, source: str) -> None:
    if constant.name == MAC:
        nominal = energies.mac(arch.compute.bits).pj
        _energy(_node(data, "compute", arch.compute.name), "mac", nominal, constant, source, "pJ")
    elif constant.name in (DRAM, ON_CHIP):
        memories = arch.memories[:1] if constant.name == DRAM else arch.memories[1:]
        for memory in memories:
            costs, node = energies.memory(memory.name), _node(data, "memory", memory.name)
            _energy(node, "read", costs.read.pj, constant, source, "pJ/access")
            _energy(node, "write", costs.write.pj, constant, source, "pJ/access")
            if memory.update_energy is not None:
                _energy(node, "update", costs.update.pj, constant, source, "pJ/access")
    elif constant.name == IDLE:
        data["idle_power"] = _quantity(constant.value, constant.low, constant.high, "W", source)
    else:
        _efficiency(data, constant, source)


def _efficiency(data: Any, constant: Fitted, source: str) -> None:
    """A class's own compute efficiency; bandwidth and launch overhead go to every class."""
    classes = data.setdefault("efficiency", {})
    op_class, _, key = constant.name.rpartition(".")
    key = {BANDWIDTH: "bandwidth", LAUNCH: "launch_overhead"}.get(constant.name, key)
    for name in (op_class,) if op_class else OP_CLASSES:
        unit = "s" if key == "launch_overhead" else ""
        entry = dict(classes.get(name) or {})
        entry[key] = _quantity(constant.value, constant.low, constant.high, unit, source)
        classes[name] = entry


def _energy(node: Any, action: str, nominal: Sourced, factor: Fitted, source: str, unit: str) -> None:
    energy = node.setdefault("energy", {})
    pj = nominal.value
    before = f"; {factor.value:.3g} x {pj:.4g} pJ ({nominal.source})"
    energy[action] = _quantity(factor.value * pj, factor.low * pj, factor.high * pj, unit, source + before)


def _quantity(value: float, low: float, high: float, unit: str, source: str) -> dict[str, Any]:
    """Six digits; the ends are kept on their sides of the rounded value."""
    rounded = float(f"{value:.6g}")
    ends = {"value": rounded, "low": min(rounded, float(f"{low:.6g}")), "high": max(rounded, float(f"{high:.6g}"))}
    return {**{key: f"{end:.6g} {unit}" if unit else end for key, end in ends.items()}, "source": source}


def _node(data: Any, key: str, name: str) -> Any:
    return next(node for node in data["nodes"] if node.get(key) == name)
