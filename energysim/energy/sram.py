"""Energy and leakage of SRAM: interpolation of a grid of CACTI 7 results.

The grid (``data/cacti_sram.csv``) holds CACTI 7 with low-standby-power cells and periphery (itrs-lstp), 300 K, one
read/write port, organization chosen by delay^2 x energy: 22 to 90 nm, 256 B to 8 MiB, 8 to 512 bits, one bank, and 4,
8 and 16 banks from 512 KiB. Interpolation is bilinear in the logarithms of capacity and width, then log-log over the
node. Held-out CACTI points differ by 3.6 % in the median and 33 % at most; the choice of CACTI's objective alone moves
results by 2x, and that is the range given.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log
from pathlib import Path

from energysim.arch.sourced import Sourced
from energysim.energy.scaling import UNCERTAINTY, relative_energy

_DATA = Path(__file__).parent / "data" / "cacti_sram.csv"
_MODEL_ERROR = 2.0
_SOURCE = "CACTI 7 grid, itrs-lstp"
_READ, _WRITE, _LEAKAGE, _AREA = range(4)

# banks -> node -> access bits -> ascending [(capacity in bytes, (read pJ, write pJ, leakage mW, area mm2))]
_Point = tuple[float, tuple[float, float, float, float]]
_Grid = Mapping[int, Mapping[float, Mapping[int, Sequence[_Point]]]]


@dataclass(frozen=True, slots=True)
class SramCost:
    """Read and write energy of one access (pJ), leakage of the whole memory (W), area (mm2)."""

    read_pj: Sourced
    write_pj: Sourced
    leakage_w: Sourced
    area_mm2: float


@lru_cache(maxsize=1)
def _grid() -> _Grid:
    grid: dict[int, dict[float, dict[int, list[_Point]]]] = {}
    with _DATA.open(newline="") as file:
        for row in csv.DictReader(file):
            at = grid.setdefault(int(row["banks"]), {}).setdefault(float(row["node_nm"]), {})
            costs = (float(row["read_pj"]), float(row["write_pj"]), float(row["leakage_mw"]), float(row["area_mm2"]))
            at.setdefault(int(row["access_bits"]), []).append((float(row["capacity_bytes"]), costs))
    for nodes in grid.values():
        for widths in nodes.values():
            for points in widths.values():
                points.sort()
    return grid


def grid_nodes() -> tuple[float, ...]:
    """Technology nodes of the grid in nm, ascending."""
    return tuple(sorted(_grid()[1]))


def sram_cost(node_nm: float, capacity_bytes: float, access_bits: int, banks: int = 1) -> SramCost:
    """Cost of an SRAM of ``capacity_bytes`` (all banks together) read and written ``access_bits`` at a time.

    Beyond the grid: a wider access is several of 512 bits, a narrower one costs 8 bits; a memory too small for CACTI
    costs as much as the smallest that it can build; a larger one follows the slope of the last two capacities; a node
    outside 22-90 nm is scaled from the nearest one. Each widens the range or is named in the source.
    """
    grid_banks = _banks_of(banks, capacity_bytes)
    width = min(max(access_bits, 8), 512)
    repeats = access_bits / width if access_bits > 512 else 1.0
    nodes = sorted(_grid()[grid_banks])
    inside = min(max(node_nm, nodes[0]), nodes[-1])
    costs = [_over_nodes(grid_banks, inside, capacity_bytes, width, which) for which in (_READ, _WRITE, _AREA)]
    nearest = min(nodes, key=lambda node: abs(log(node / inside)))
    leakage_mw = _over_sizes(grid_banks, nearest, capacity_bytes, width, _LEAKAGE)

    scale = relative_energy(node_nm) / relative_energy(inside) if inside != node_nm else 1.0
    spread = _MODEL_ERROR * (UNCERTAINTY if inside != node_nm else 1.0)
    smallest, largest = _capacities(grid_banks)
    if capacity_bytes > largest:
        spread *= UNCERTAINTY
    text = (
        f"{_SOURCE}, {capacity_bytes:g} B x {access_bits} b, {grid_banks} bank{'s' * (grid_banks > 1)}, {inside:g} nm"
    )
    if inside != node_nm:
        text += f", scaled to {node_nm:g} nm (Stillmaker and Baas 2017)"
    estimate = inside != node_nm or not smallest <= capacity_bytes <= largest

    def energy(pj: float) -> Sourced:
        value = pj * repeats * scale
        return Sourced(value, value / spread, value * spread, text, estimate)

    return SramCost(energy(costs[0]), energy(costs[1]), _leakage(leakage_mw * 1e-3 * repeats, nearest, text), costs[2])


def _leakage(watts: float, node_nm: float, text: str) -> Sourced:
    # CACTI at 350 K gives 6.5 times its figure at 300 K (64 KiB, 45 nm); high-performance cells are 10^4 above both.
    note = f"{text}; leakage of {node_nm:g} nm low-standby-power cells at 300 K, a floor; high: 350 K"
    return Sourced(watts, watts, 6.5 * watts, note)


def _banks_of(banks: int, capacity_bytes: float) -> int:
    """The grid's number of banks nearest to the wanted one (below 512 KiB the grid has one bank only)."""
    with_banks = [b for b in _grid() if b == 1 or capacity_bytes >= _capacities(b)[0]]
    return min(with_banks, key=lambda b: abs(log(b / banks)))


def _capacities(banks: int) -> tuple[float, float]:
    points = [p[0] for widths in _grid()[banks].values() for column in widths.values() for p in column]
    return min(points), max(points)


def _over_nodes(banks: int, node_nm: float, capacity: float, bits: int, which: int) -> float:
    points = [(node, _over_sizes(banks, node, capacity, bits, which)) for node in sorted(_grid()[banks])]
    return _log_log(points, node_nm)


def _over_sizes(banks: int, node: float, capacity: float, bits: int, which: int) -> float:
    """Bilinear: along capacity at each width of the grid around ``bits``, then along width."""
    widths = _grid()[banks][node]
    around = sorted(widths)
    if bits in widths:
        around = [bits]
    else:
        upper = bisect_right(around, bits)
        around = around[upper - 1 : upper + 1]
    along = []
    for width in around:
        column = [(point, costs[which]) for point, costs in widths[width]]
        # Below the smallest capacity CACTI finds no organization: a designer would build the smallest one.
        along.append((float(width), _log_log(column, max(capacity, column[0][0]))))
    return _log_log(along, float(bits))


def _log_log(points: Sequence[tuple[float, float]], x: float) -> float:
    """Piecewise power law through ascending points, exact on them; the outer pieces extend."""
    if len(points) == 1:
        return points[0][1]
    index = min(max(bisect_right([p[0] for p in points], x), 1), len(points) - 1)
    (x0, y0), (x1, y1) = points[index - 1], points[index]
    if x == x0:
        return y0
    if x == x1:
        return y1
    share = log(x / x0) / log(x1 / x0)
    return exp((1 - share) * log(y0) + share * log(y1))
