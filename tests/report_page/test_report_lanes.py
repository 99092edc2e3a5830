"""Every use of a feature map is drawn once: as a link to the next row or as a lane that meets no other."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from energysim.report.page.lanes import rows_of


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Layers that read any earlier feature maps; some are views."""
    layers = []
    for number in range(draw(st.integers(1, 14))):
        earlier = ["image", *(f"out{index}" for index in range(number))]
        inputs = draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=4, unique=True))
        kind = draw(st.sampled_from(["mac", "vector", "view"]))
        inputs = inputs[:1] if kind == "view" else inputs
        layers.append({"name": f"layer{number}", "kind": kind, "inputs": inputs, "outputs": [f"out{number}"]})
    return {"layers": layers, "inputs": ["image"], "outputs": [f"out{len(layers) - 1}"]}


def _behind(graph: dict[str, Any], edge: str) -> str | None:
    """The layer that computed a feature map, past views; None for the network's input."""
    if edge == "image":
        return None
    layer = graph["layers"][int(edge.removeprefix("out"))]
    return _behind(graph, layer["inputs"][0]) if layer["kind"] == "view" else layer["name"]


@given(graphs())
def test_all_uses_and_no_others(graph: dict[str, Any]) -> None:
    rows = rows_of(graph)
    assert rows.names == (None, *(x["name"] for x in graph["layers"] if x["kind"] != "view"), None)
    drawn = {(row - 1, row) for row in rows.linked} | {(lane.start, end) for lane in rows.lanes for end in lane.ends}
    row_of = {name: row for row, name in enumerate(rows.names) if name is not None}
    wanted = {
        (row_of.get(_behind(graph, edge), 0), row_of[layer["name"]])
        for layer in graph["layers"]
        if layer["name"] in row_of
        for edge in layer["inputs"]
    }
    wanted.add((row_of.get(_behind(graph, graph["outputs"][0]), 0), len(rows.names) - 1))
    assert drawn == wanted


@given(graphs())
def test_lanes_of_one_place_do_not_meet_and_no_place_is_wasted(graph: dict[str, Any]) -> None:
    lanes = rows_of(graph).lanes
    for index, one in enumerate(lanes):
        for other in lanes[index + 1 :]:
            if one.place == other.place:
                assert one.ends[-1] <= other.start or other.ends[-1] <= one.start
    most = max((sum(lane.start <= row < lane.ends[-1] for lane in lanes) for row in range(20)), default=0)
    assert rows_of(graph).width == most
