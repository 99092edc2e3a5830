"""The page on S4's memory access: every claim beside what was computed, and the tables behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

Cell = dict[str, Any]
"""What ``s4_tables.compute`` returns for one condition."""

PLAIN, LAYERWISE, FULL = "lightweight CNN, plain", "lightweight CNN, layerwise", "full 32x32, 64 ch"
RESNET, RESNET_MACS = "ResNet-18", "ResNet-18, convolutions and linear layer"
FLOOR = "floor of the lightweight CNN"
TILING = ("tiling 16x16", "tiling 32x32", "tiling 64x64")
FULL_TILES = ("full 16x16, 64 ch", FULL, "full 64x64, 64 ch")
BUFFERING = ("buffering 32 ch", "buffering 64 ch", "buffering 128 ch")
FULL_BUFFERS = ("full 32x32, 32 ch", FULL, "full 32x32, 128 ch")
CLAIMED_MB = {
    RESNET: 12.4,
    RESNET_MACS: 12.4,
    PLAIN: 3.2,
    LAYERWISE: 3.2,
    "tiling 32x32": 1.8,
    "buffering 64 ch": 1.5,
    "full 16x16, 64 ch": 1.2,
    FULL: 1.0,
    "full 64x64, 64 ch": 1.8,
    "full 32x32, 32 ch": 1.4,
    "full 32x32, 128 ch": 0.9,
}
NEAR = 0.05
"""Relative difference up to which a figure is called the claimed one."""


def report(cells: Sequence[Cell]) -> str:
    """The whole page, in Markdown."""
    spent = f"Computed in {sum(cell['cpu_s'] for cell in cells):.0f} CPU s."
    parts = [_HEAD.format(near=100 * NEAR), *_claims(cells), _REASONS, *_reductions(cells), *_tables(cells), "", spent]
    return "\n".join(parts) + "\n"


_HEAD = """# Memory access of the S4 models

Written by `python benchmarks/s4_tables.py`; no figure here is typed in, except those under *claimed* and in the claims'
names, which are the write-up's. Traffic is what crosses DRAM in one batch, in MB (10^6 bytes), with the least-traffic
mapping of every layer that is mapped alone, and halos recomputed in stacks. The first line of ResNet-18 includes
pooling and the additions of the residual blocks, the second leaves them out.

- *plain*: planes are never cut. *layerwise*: the mapper cuts each layer as it likes. *tiling*, *buffering* and *full*
  are the variants `tiled`, `buffered` and `full` of [schedules.md](schedules.md).
- A buffer of n channels has n times the bytes of the largest plane of one image. `*`: the device's feature-map memory
  is smaller, so the buffer is what it has (half of it for *buffering*, whose layers need room to work).
- *floor*: weights, input and output once: no schedule moves less.
- Energies are of batch 1 at the device's own word width, of the least-energy mappings found in a minute per layer.
- A figure is called the claimed one where it is within {near:.0f} %.
"""


_REASONS = """Why the other conditions cannot show them:

- With a 32x32 image the stem (stride 2) leaves planes of 16x16, which no tile of 16, 32 or 64 cuts: all tiles move the
  same, and the claimed order of tile sizes is impossible there.
- At batch 1 and 32x32 the weights are most of the traffic, and every schedule fetches them once. Only larger images,
  or batches, have feature maps that are worth keeping.
- A larger buffer can only help until it holds every map, and not beyond the device's memory (`*`). What it takes is
  also missing where the layers work, so it can move more.
- A larger tile fetches less halo, until the tile no longer fits beside the weights: then these are fetched for every
  tile, or the stack breaks up. Which size is best depends on the memory and the word width, not on the network alone.
- Tiles with their full halo change no result, so the accuracies beside these figures in the write-up cannot come from
  the tile size: [execution.md](execution.md).
"""


def _mb(cell: Cell, name: str) -> float | None:
    value = cell["traffic"][name]
    return None if value is None else value / 1e6


def _where(cell: Cell) -> str:
    at = cell["condition"]
    return f"{at['arch']}, {at['columns']}x{at['rows']}, batch {at['batch']}, {at['bits']} bits"


def _list(cells: Iterable[Cell], said: Callable[[Cell], str]) -> str:
    found = [f"{_where(cell)} ({said(cell)})" for cell in cells]
    return "; ".join(found) if found else "nowhere"


def _is_near(value: float | None, claimed: float) -> bool:
    return value is not None and abs(value - claimed) <= NEAR * claimed


def _claims(cells: Sequence[Cell]) -> list[str]:
    lines = ["## The claims", "", "| claim | holds for | closest or why not |", "|---|---|---|"]
    lines += [_network_claim(cells[0])]
    for name in (RESNET, RESNET_MACS, PLAIN, LAYERWISE, "tiling 32x32", "buffering 64 ch", FULL):
        lines.append(_size_claim(cells, name))
    lines.append(_ratio_claim(cells, "tiling alone: 3.2 / 1.8", "tiling 32x32", 3.2 / 1.8))
    lines.append(_ratio_claim(cells, "buffering alone: 3.2 / 1.5", "buffering 64 ch", 3.2 / 1.5))
    lines.append(_ratio_claim(cells, "tiling and buffering: 3.2 / 1.0", FULL, 3.2))
    claim = "tile 32 moves less than 16, 16 less than 64 (1.0, 1.2, 1.8 MB)"
    for title, names in (("tiling", TILING), ("full, 64 ch", FULL_TILES)):
        rows = {"32": names[1], "16": names[0], "64": names[2]}
        lines.append(_order_claim(cells, f"{title}: {claim}", rows))
    claim = "128 channels move less than 64, 64 less than 32 (0.9, 1.0, 1.4 MB)"
    for title, names in (("buffering", BUFFERING), ("full, 32x32", FULL_BUFFERS)):
        rows = {"128": names[2], "64": names[1], "32": names[0]}
        lines.append(_order_claim(cells, f"{title}: {claim}", rows))
    return [*lines, *_energy_claims([cell for cell in cells if cell["energy_pj"]]), ""]


def _network_claim(cell: Cell) -> str:
    parameters, macs = cell["parameters"], cell["macs"]
    figures = "; ".join(f"{name}: {parameters[name]:,} parameters, {macs[name]:,} MACs" for name in parameters)
    return f"| 11.2 M and 0.26 M parameters, 555 M and 15.8 M MACs | {_where(cell)} | {figures} |"


def _size_claim(cells: Sequence[Cell], name: str) -> str:
    claimed = CLAIMED_MB[name]
    good = [cell for cell in cells if _is_near(_mb(cell, name), claimed)]
    runs = [(cell, value) for cell in cells if (value := _mb(cell, name)) is not None]
    closest, value = min(runs, key=lambda pair: abs(pair[1] - claimed))
    note = f"closest: {value:.3f} MB, {_where(closest)}"
    return f"| {name}: {claimed} MB | {_list(good, lambda cell: f'{_mb(cell, name):.3f} MB')} | {note} |"


def _gain(cell: Cell, name: str) -> float | None:
    plain, value = _mb(cell, PLAIN), _mb(cell, name)
    return None if plain is None or value is None else plain / value


def _ratio_claim(cells: Sequence[Cell], claim: str, name: str, factor: float) -> str:
    gains = [(gain, cell) for cell in cells if (gain := _gain(cell, name)) is not None]
    good = [cell for gain, cell in gains if gain >= factor * (1 - NEAR)]
    most, cell = max(gains, key=lambda pair: pair[0])
    barred = sum(_gain(cell, FLOOR) < factor for _, cell in gains)
    note = f"most: {most:.2f}x, {_where(cell)}; in {barred} of {len(gains)} conditions even the floor saves less"
    return f"| {claim} = {factor:.2f}x less than untiled | {_list(good, lambda c: f'{_gain(c, name):.2f}x')} | {note} |"


def _order_claim(cells: Sequence[Cell], claim: str, ascending: dict[str, str]) -> str:
    """``ascending``: the sizes in the claimed order, least traffic first, and the rows that they stand for."""
    good, equal, other = [], 0, Counter[str]()
    for cell in cells:
        values = {size: value for size, name in ascending.items() if (value := _mb(cell, name)) is not None}
        if len(values) < len(ascending):
            other["does not run"] += 1
        elif len(set(values.values())) == 1:
            equal += 1
        elif list(values) == sorted(values, key=lambda size: values[size]) and len(set(values.values())) == len(values):
            good.append(cell)
        else:
            other[_ranking(values)] += 1

    def said(cell: Cell) -> str:
        return " < ".join(f"{_mb(cell, name):.3f}" for name in ascending.values())

    notes = [f"all equal in {equal} of {len(cells)} conditions"] if equal else []
    notes += [f"{order} in {count}" for order, count in other.most_common()]
    return f"| {claim} | {_list(good, said)} | {'; '.join(notes)} |"


def _ranking(values: dict[str, float]) -> str:
    sizes = sorted(values, key=lambda size: values[size])
    text = sizes[0]
    for before, size in pairwise(sizes):
        text += (" = " if values[before] == values[size] else " < ") + size
    return text


def _energy_claims(cells: Sequence[Cell]) -> list[str]:
    def pair(cell: Cell, part: int) -> tuple[float, float] | None:
        plain, full = cell["energy_pj"]["plain"], cell["energy_pj"]["full"]
        return None if plain is None or full is None else (plain[part] / 1e9, full[part] / 1e9)

    lines = []
    for title, part, factor in (("energy of DRAM", 1, 3.2), ("total energy", 0, 2.8)):
        known = [(found[0] / found[1], cell) for cell in cells if (found := pair(cell, part)) is not None]
        good = [cell for gain, cell in known if gain >= factor * (1 - NEAR)]
        most, cell = max(known, key=lambda item: item[0])
        said = _list(good, lambda cell, part=part: "{:.3f} to {:.3f} mJ".format(*pair(cell, part)))
        lines.append(
            f"| {title} {factor}x lower | {said} | most: {most:.2f}x, {_where(cell)}; of {len(known)} conditions |"
        )
    totals = [(found, cell) for cell in cells if (found := pair(cell, 0)) is not None]
    both = [cell for found, cell in totals if _is_near(found[0], 6.5) and _is_near(found[1], 2.1)]
    (plain, full), cell = min(totals, key=lambda item: abs(item[0][0] / 6.5 - 1) + abs(item[0][1] / 2.1 - 1))
    note = f"closest: {plain:.3f} to {full:.3f} mJ, {_where(cell)}"
    lines.append(f"| 6.5 mJ untiled, 2.1 mJ full | {_list(both, lambda _: 'both')} | {note} |")
    return lines


def _reductions(cells: Sequence[Cell]) -> list[str]:
    lines = [
        "## Why 3.2x less memory access holds where it holds",
        "",
        "Untiled traffic over that of *full* (32x32, 64 ch), over the best of all rows, and over the floor.",
        "",
        "| condition | full | best row | floor | |",
        "|---|---|---|---|---|",
    ]
    known = [(gain, cell) for cell in cells if (gain := _gain(cell, FULL)) is not None]
    for gain, cell in sorted(known, key=lambda item: -item[0]):
        rows = [name for name in cell["traffic"] if name.startswith(("tiling", "buffering", "full", LAYERWISE))]
        best = max((name for name in rows if _gain(cell, name) is not None), key=lambda name: _gain(cell, name) or 0.0)
        limit = _gain(cell, FLOOR) or 0.0
        why = _why(cell, gain, limit)
        lines.append(f"| {_where(cell)} | {gain:.2f}x | {_gain(cell, best):.2f}x ({best}) | {limit:.2f}x | {why} |")
    missing = [cell for cell in cells if _gain(cell, FULL) is None]
    lines += [f"| {_where(cell)} | - | - | - | the device cannot run it |" for cell in missing]
    return [*lines, ""]


def _why(cell: Cell, gain: float, limit: float) -> str:
    if gain >= 3.2 * (1 - NEAR):
        return "holds"
    if limit < 3.2:
        return "cannot: weights, input and output alone are too much of the untiled traffic"
    full, layerwise = _mb(cell, FULL), _mb(cell, LAYERWISE)
    if full is None or layerwise is None or full >= layerwise:
        return "not with this buffer: no two layers fit in it together, so nothing is fused"
    saved = (layerwise - full) / (layerwise - (_mb(cell, FLOOR) or 0.0))
    return f"not with this buffer: the layers that it fuses are {100 * saved:.0f} % of what fusing all could save"


def _tables(cells: Sequence[Cell]) -> list[str]:
    lines = ["## Tables"]
    groups: dict[tuple[str, int, int], list[Cell]] = {}
    for cell in cells:
        at = cell["condition"]
        groups.setdefault((at["arch"], at["rows"], at["columns"]), []).append(cell)
    for (arch, rows, columns), group in groups.items():
        heads = [f"batch {cell['condition']['batch']}, {cell['condition']['bits']} bits" for cell in group]
        lines += ["", f"### {arch}, {columns}x{rows}", "", f"| MB | claimed | {' | '.join(heads)} |"]
        lines.append("|---" * (len(heads) + 2) + "|")
        for name in group[0]["traffic"]:
            entries = " | ".join(_entry(cell, name) for cell in group)
            lines.append(f"| {name} | {CLAIMED_MB.get(name, '')} | {entries} |")
    return lines


def _entry(cell: Cell, name: str) -> str:
    value = _mb(cell, name)
    if value is None:
        return "does not fit"
    return f"{value:,.3f}" + ("*" if name in cell["clipped"] else "") + ("" if cell["proven"] else " (bound open)")
