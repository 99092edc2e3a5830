"""Published measurements that ship as data: read once, as values."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from energysim.graph.problem import TensorProblem
from energysim.graph.problems import Operand, convolution_problem
from energysim.validation.row_stationary import RowStationary

DATA = Path(__file__).resolve().parent / "data"
WORD_BITS = 16


@dataclass(frozen=True, slots=True)
class MeasuredLayer:
    """A convolution as the Eyeriss chip ran it (JSSC 2017, tables V and VI), without DRAM energy. MB are 10^6 bytes.

    ``zeros``: share of zeros in the ifmap, ``active_pes``: PEs in use; None where the paper's table has no such column.
    ``passes``: the mapping's parameters. They are *not* printed there: they are what explains the published PEs, buffer
    bytes and (AlexNet) DRAM bytes together, see docs/validation.md.
    """

    network: str
    name: str
    problem: TensorProblem
    power_w: float
    total_s: float
    processing_s: float
    active_pes: int | None
    zeros: float | None
    glb_bytes: float
    dram_bytes: float
    passes: RowStationary

    @property
    def energy_j(self) -> float:
        """Of the chip, for the whole batch."""
        return self.power_w * self.total_s


@cache
def eyeriss_layers(network: str) -> tuple[MeasuredLayer, ...]:
    """The convolutions of ``alexnet`` (batch 4, groups in 2, 4 and 5) or ``vgg16`` (batch 3)."""
    with (DATA / "eyeriss_jssc2017.csv").open(newline="") as file:
        return tuple(_layer(row) for row in csv.DictReader(file) if row["network"] == network)


def _layer(row: dict[str, str]) -> MeasuredLayer:
    size = {key: int(row[key]) for key in ("in_size", "out_size", "kernel", "stride", "padding")}
    problem = convolution_problem(
        batch=int(row["batch"]),
        groups=int(row["groups"]),
        out_channels=int(row["out_channels"]),
        in_channels=int(row["in_channels"]),
        in_size=(size["in_size"],) * 2,
        out_size=(size["out_size"],) * 2,
        kernel=(size["kernel"],) * 2,
        stride=(size["stride"],) * 2,
        padding_before=(size["padding"],) * 2,
        dilation=(1, 1),
        weights=Operand(WORD_BITS, is_parameter=True),
        ifmap=Operand(WORD_BITS),
        ofmap=Operand(WORD_BITS),
    )
    return MeasuredLayer(
        network=row["network"],
        name=row["layer"],
        problem=problem,
        power_w=float(row["power_mw"]) / 1e3,
        total_s=float(row["total_ms"]) / 1e3,
        processing_s=float(row["processing_ms"]) / 1e3,
        active_pes=int(row["active_pes"]) if row["active_pes"] else None,
        zeros=float(row["ifmap_zeros"]) if row["ifmap_zeros"] else None,
        glb_bytes=float(row["glb_mb"]) * 1e6,
        dram_bytes=float(row["dram_mb"]) * 1e6,
        passes=RowStationary(**{key: int(row[key]) for key in ("m", "n", "e", "p", "q", "r", "t")}),
    )
