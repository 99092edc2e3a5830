"""What training costs on a device, as a table and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from energysim.report.sheet import Sheet
from energysim.report.training import percent
from energysim.train.energy_sweep import SweepRow
from energysim.train.training_energy import Cost, StepCost
from energysim.train.training_graph import Phase
from energysim.units import format_bytes, format_energy, format_time


def training_energy_sheet(step: StepCost, images: int, epochs: int) -> Sheet:
    """One line per layer of the network, the energy of a step by phase; totals of step, epoch and run below."""
    rows = []
    for name in step.layers:
        by_phase = {part.phase: part.cost for part in step.parts if part.layer == name}
        rows.append((name, *(_energy(by_phase.get(phase)) for phase in Phase), *_rest(step.layer(name))))
    rows.append(("all layers", *(_energy(step.phase(phase)) for phase in Phase), *_rest(step.total)))
    epoch = step.epoch(images)
    run = epoch.times(epochs)
    notes = (
        f"one epoch of {images:,} images: {_told(epoch)}; {epochs} epochs: {_told(run)}",
        f"energies of a step lie between {_joules(step.total.energy_low_j)} and {_joules(step.total.energy_high_j)} "
        "(the constants' low and high values)",
        "not counted: dropout, data augmentation, the loss's arithmetic, the host",
    )
    how = f"batch {step.batch}, {step.bits}-bit words, {step.optimizer}"
    title = f"One step of training {step.workload} on {step.arch}: {how}"
    return Sheet(title, ("layer", *Phase, "energy", "MACs", "DRAM", "time"), tuple(rows), notes)


def training_energy_data(step: StepCost, images: int, epochs: int) -> dict[str, Any]:
    """The same for JSON: every layer and phase, a step, an epoch, the run."""
    epoch = step.epoch(images)
    return {
        "schema": 1,
        "workload": step.workload,
        "arch": step.arch,
        "batch": step.batch,
        "bits": step.bits,
        "optimizer": step.optimizer,
        "parameters": step.parameters,
        "parts": [{"layer": part.layer, "phase": part.phase.value, **asdict(part.cost)} for part in step.parts],
        "step": asdict(step.total),
        "epoch": {"images": images, **asdict(epoch)},
        "run": {"epochs": epochs, **asdict(epoch.times(epochs))},
    }


def _rest(cost: Cost) -> tuple[str, str, str, str]:
    return (_joules(cost.energy_j), f"{cost.macs:,}", format_bytes(cost.dram_bytes), format_time(cost.latency_s))


def _told(cost: Cost) -> str:
    dram = format_bytes(cost.dram_bytes)
    return f"{_joules(cost.energy_j)}, {cost.macs:.3g} MACs, {dram} of DRAM, {cost.latency_s:,.1f} s"


def _energy(cost: Cost | None) -> str:
    return "-" if cost is None or not cost.energy_j else _joules(cost.energy_j)


def _joules(energy_j: float) -> str:
    return format_energy(energy_j * 1e12)


def sweep_sheet(rows: Sequence[SweepRow], data: str, arch: str) -> Sheet:
    """Accuracy beside the energy that training took; relative to the first row's."""
    first = rows[0]
    cells = tuple(
        (
            row.point.label,
            percent(row.top1),
            f"{row.parameters:,}",
            f"{row.macs:.3g}",
            _joules(row.first_epoch_j),
            _joules(row.training_j),
            f"{row.training_j / first.training_j:.2f}",
            "never" if row.epochs_to is None else f"{row.epochs_to:.1f}",
        )
        for row in rows
    )
    headings = (
        "network",
        "top-1 %",
        "parameters",
        "MACs, first epoch",
        "first epoch",
        "whole run",
        "x base",
        "epochs to 90 %",
    )
    seeds = first.top1.n
    notes = (
        f"top-1 on {data}'s test images, {seeds} seed{'s' * (seeds > 1)}; energy of training on {arch}, 32-bit words",
        "epochs to 90 %: until validation accuracy first reached it; parameters: those left at the end",
    )
    return Sheet("Accuracy against the energy of training", headings, cells, notes)
