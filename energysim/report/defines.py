"""DeFiNES' sweep beside ours, as Markdown. Every number comes from the values handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from energysim.report.chips import error, markdown_table
from energysim.schedule.values import Overlap
from energysim.validation.defines import FusedPoint, Tile, rank_agreement

_Key = tuple[Tile | None, Overlap | None]
_Energy = Callable[[FusedPoint], float]


def defines_table(points: Sequence[FusedPoint]) -> str:
    """Energy, cycles and DRAM words of every point: theirs, ours, and ours with remainders."""
    head = ["tile (w x h)", "overlap", "uJ theirs", "ours", "", "remainders", ""]
    head += ["Mcycles theirs", "ours", "remainders", "M words theirs", "ours"]
    rows = [
        [
            _name(point.tile),
            "-" if point.overlap is None else str(point.overlap),
            f"{point.theirs_j * 1e6:,.0f}",
            f"{point.ours.energy_j * 1e6:,.0f}",
            error(point.ours.energy_j, point.theirs_j),
            *_remainders(point),
            f"{point.their_cycles / 1e6:,.1f}",
            f"{point.ours.cycles / 1e6:,.1f}",
            "-" if point.tile is None else f"{point.remainders.cycles / 1e6:,.1f}",
            f"{point.their_dram_words / 1e6:,.2f}",
            f"{point.ours.dram_words / 1e6:,.2f}",
        ]
        for point in points
    ]
    return markdown_table(head, rows)


def defines_verdict(points: Sequence[FusedPoint]) -> str:
    """Per overlap mode, which tile each tool calls best and whether all tiles are in the same order; and how far the
    two orders agree."""
    lines = []
    for overlap in Overlap:
        mode = [point for point in points if point.overlap is overlap]
        if not mode:
            continue
        theirs = _order(mode, lambda p: p.theirs_j)
        kinds: tuple[tuple[str, _Energy], ...] = (
            ("ours", lambda p: p.ours.energy_j),
            ("with remainders", lambda p: p.remainders.energy_j),
        )
        verdicts = [f"{what} {_verdict(theirs, _order(mode, of), of)}" for what, of in kinds]
        lines.append(f"- `{overlap}`: {_name(theirs[0].tile)} is best there; {'; '.join(verdicts)}")
    agreement, remainders = (rank_agreement(points, remainders=which) for which in (False, True))
    lines.append(
        f"- rank correlation of the energies over all fused points (Spearman): {agreement:.3f}, with remainders "
        f"{remainders:.3f}"
    )
    return "\n".join(lines)


def defines_parts(points: Sequence[FusedPoint], theirs: Mapping[_Key, Mapping[str, float]]) -> str:
    """Where the energy goes in the points of which DeFiNES' parts are known: uJ theirs and ours with remainders."""
    known = [point for point in points if (point.tile, point.overlap) in theirs]
    head = ["uJ of", *(cell for point in known for cell in (f"{_name(point.tile)} {point.overlap}, theirs", "ours"))]
    parts = dict.fromkeys(part for point in known for part in theirs[point.tile, point.overlap])
    rows = [
        [
            part,
            *(
                f"{joules * 1e6:,.0f}"
                for point in known
                for joules in (theirs[point.tile, point.overlap][part], point.remainders.parts_j[part])
            ),
        ]
        for part in parts
    ]
    return markdown_table(head, rows)


def _remainders(point: FusedPoint) -> list[str]:
    if point.tile is None:
        return ["-", "-"]
    return [f"{point.remainders.energy_j * 1e6:,.0f}", error(point.remainders.energy_j, point.theirs_j)]


def _order(points: Sequence[FusedPoint], of: _Energy) -> list[FusedPoint]:
    return sorted(points, key=of)


def _verdict(theirs: Sequence[FusedPoint], ours: Sequence[FusedPoint], of: _Energy) -> str:
    if theirs == ours:
        return "the same order of all tiles"
    order = f"in order {', '.join(_name(point.tile) for point in ours)}"
    if theirs[0] is ours[0]:
        return f"the same best tile, {order}"
    here, there = of(theirs[0]) / of(ours[0]) - 1, ours[0].theirs_j / theirs[0].theirs_j - 1
    return (
        f"another best tile, {order}: {_name(theirs[0].tile)} costs {here:.1%} more than {_name(ours[0].tile)} here, "
        f"{_name(ours[0].tile)} {there:.1%} more there"
    )


def _name(tile: Tile | None) -> str:
    return "layer by layer" if tile is None else f"{tile[1]} x {tile[0]}"
