"""On-chip memory over time: layers from left to right, bytes upwards, a bar per tensor or per piece of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from energysim.errors import InfeasibleError
from energysim.report.plots.rows import short, subject
from energysim.report.plots.style import EDGE, HATCHES, ink_on, legend, new_figure, shades
from energysim.report.plots.svg import hover
from energysim.schedule.allocator import Allocation, Piece, Placement
from energysim.schedule.live import Content
from energysim.simulation.occupancy import Occupancy
from energysim.simulation.stored import StoredResult
from energysim.units import bytes_unit, format_bytes

_WIDTH, _WIDEST, _HEIGHT = 10.0, 24.0, 3.8  # inches of a panel
_STEP, _NAME = 0.14, 0.2  # inches that a step takes where there is room, and that its name does
_LETTER = 0.075  # inches of a letter of a name in a bar


def occupancy(result: StoredResult, variant: str | None = None) -> Figure:
    """Every memory that feature maps or weights of the variant live in.

    Raises InfeasibleError for a device without an on-chip memory of feature maps.
    """
    chosen = result.variant(variant)
    drawn = [item for item in result.occupancies if item.variant == chosen.variant]
    if not drawn:
        raise InfeasibleError(f"{result.arch!r} has no on-chip memory that holds both ifmaps and ofmaps")
    return occupancy_figure(drawn, f"{subject(result, chosen)}: on-chip memory over time")


def occupancy_figure(drawn: Sequence[Occupancy], title: str) -> Figure:
    """A panel per memory (and variant)."""
    figure, panels = new_figure(_width(drawn[0]), _HEIGHT * len(drawn), 1, len(drawn))
    for axes, item in zip(panels, drawn, strict=True):
        _panel(axes, item)
    figure.suptitle(title, fontsize=11)
    return figure


def _width(item: Occupancy) -> float:
    return min(_WIDEST, max(_WIDTH, _STEP * len(item.steps)))


def _panel(axes: Axes, item: Occupancy) -> None:
    allocation, steps = item.allocation, item.steps
    # The frame ends at the capacity, or below where that would leave most of it empty.
    top = max(1, min(allocation.capacity_bytes, 2 * allocation.used_bytes))
    unit, one = bytes_unit(top)
    axes.set(xlim=(-0.5, max(1, len(steps)) - 0.5), ylim=(0, top / one), ylabel=f"address ({unit})")
    for content, colour, hatch in zip(Content, shades(len(Content), "viridis"), HATCHES, strict=False):
        mine = [p for p in allocation.placements if p.live.content is content]
        for index, placement in enumerate(mine):
            label = content.value if index == 0 else "_"
            for piece in placement.pieces:
                _bar(axes, item, placement, piece, {"facecolor": colour, "hatch": hatch, "label": label})
                label = "_"
    peak = allocation.lower_bound_bytes
    line = axes.axhline(peak / one, color="black", linestyle="--", linewidth=1, label=f"peak {format_bytes(peak)}")
    hover(line, f"at most {format_bytes(peak)} live at once")
    every = max(1, ceil(_NAME * len(steps) / _width(item)))
    axes.set_xticks(range(0, len(steps), every), [short(name) for name in steps[::every]], fontsize=7)
    axes.tick_params(axis="x", rotation=60)
    for name in axes.get_xticklabels():
        name.set(ha="right", rotation_mode="anchor")
    axes.set_title(_title(item.variant, item.memory, allocation), fontsize=10)
    legend(axes)


def _title(variant: str, memory: str, allocation: Allocation) -> str:
    return f"{variant}: {memory}, {format_bytes(allocation.capacity_bytes)}"


def _bar(axes: Axes, item: Occupancy, placement: Placement, piece: Piece, look: dict[str, str]) -> None:
    live, top = placement.live, axes.get_ylim()[1]
    _, one = bytes_unit(max(1, min(item.allocation.capacity_bytes, 2 * item.allocation.used_bytes)))
    width, height = live.last - live.first + 1, piece.size / one
    bar = Rectangle((live.first - 0.5, piece.address / one), width, height, edgecolor=EDGE, linewidth=0.4, **look)  # type: ignore[arg-type]
    axes.add_patch(bar)
    until = "" if live.first == live.last else f" to {item.steps[live.last]}"
    hover(
        bar,
        f"{live.name} ({live.content}): {format_bytes(piece.size)} at {piece.address:,}, "
        f"{item.steps[live.first]}{until}",
    )
    inches = 0.75 * _width(item) * width / max(1, len(item.steps))
    if inches > _LETTER * len(live.name) and height > 0.06 * top:
        plain = {"boxstyle": "square,pad=0.1", "facecolor": look["facecolor"], "edgecolor": "none"}
        x, y = live.first - 0.5 + width / 2, (piece.address + piece.size / 2) / one
        colour = ink_on(look["facecolor"])
        axes.text(x, y, live.name, ha="center", va="center", fontsize=7, color=colour, bbox=plain)
