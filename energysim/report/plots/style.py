"""One look for every figure: a size, colours whose luminance rises step by step (readable in greyscale, and by the
colour-blind), and a hatch, a dash pattern or a marker beside each colour.

Ink is matplotlib's plain black on plain white: `svg.inline_svg` turns exactly these into the page's own colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from energysim.report.plots.svg import PageFigure

EDGE = "#202020"  # of bars and hatches: dark on light and on dark pages, where ink turns light
PALE = "#fefefe"  # text on dark cells
GREY = "#808080"  # lines that guide the eye
HATCHES = ("", "///", "\\\\\\", "xxx", "---", "|||", "+++")  # of lines only: dots make large SVG files
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_DARKEST, _LIGHTEST = 0.22, 0.93  # of a colour map: ink is read on the one, a line on white seen with the other


def shades(count: int, colour_map: str = "viridis") -> list[str]:
    """``count`` colours, darkest first. ``colour_map``: one whose luminance rises evenly (viridis, plasma, cividis)."""
    chosen = matplotlib.colormaps[colour_map]
    return [to_hex(chosen(_DARKEST + (_LIGHTEST - _DARKEST) * index / max(1, count - 1))) for index in range(count)]


SERIES = tuple(shades(len(DASHES), "viridis"))


def luminance(colour: Any) -> float:
    """0 (black) to 1 (white): what a greyscale print keeps of a colour (luma of ITU-R BT.601)."""
    red, green, blue = to_rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def ink_on(colour: Any) -> str:
    """What is read best on ``colour``."""
    return PALE if luminance(colour) < 0.5 else EDGE


def new_figure(
    width: float, height: float, columns: int = 1, rows: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of its own, in inches, without pyplot's global state (no window, no display needed). ``options``: of
    ``Figure.subplots``."""
    figure = PageFigure(figsize=(width, height), layout="constrained")
    panels = [panel for line in figure.subplots(rows, columns, squeeze=False, **options) for panel in line]
    for panel in panels:
        panel.set_prop_cycle(color=SERIES)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
    return figure, panels


def legend(axes: Axes, **options: Any) -> None:
    """Of what has a label, beside the axes, where it hides nothing, unless ``options`` say otherwise."""
    if not axes.get_legend_handles_labels()[1]:
        return
    beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    axes.legend(**{**beside, "frameon": False, "fontsize": 8, **options})


def stack_bars(
    axes: Axes, labels: Sequence[str], layers: Sequence[tuple[str, Sequence[float]]], colour_map: str, across: bool
) -> list[BarContainer]:
    """Stacked bars: one per label, a layer per class with its own shade and hatch, in the given order.

    ``layers``: (class, a height per label). ``across``: bars lie, the first label at the top.
    """
    colours = shades(len(layers), colour_map)
    below = [0.0] * len(labels)
    drawn = []
    for index, (name, heights) in enumerate(layers):
        look: dict[str, Any] = {
            "label": name,
            "color": colours[index],
            "hatch": HATCHES[index % len(HATCHES)],
            "edgecolor": EDGE,
            "linewidth": 0.4,
        }
        at = range(len(labels))
        bars = (
            axes.barh(at, heights, 0.8, left=below, **look)
            if across
            else axes.bar(at, heights, 0.7, bottom=below, **look)
        )
        drawn.append(bars)
        below = [a + b for a, b in zip(below, heights, strict=True)]
    if across:
        axes.set_yticks(range(len(labels)), labels, fontsize=8)
        axes.set_ylim(len(labels) - 0.4, -0.6)
    else:
        axes.set_xticks(range(len(labels)), labels, fontsize=8)
    return drawn
