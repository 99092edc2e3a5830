"""MACs and parameters of torchvision's classifiers: independent counts, published beside torchvision's weights."""

from __future__ import annotations

import pytest
from graph_checks import check_graph

from energysim.graph.layers import LayerGraph
from energysim.workload import resolve_workload

# (parameters, MACs) of one 3x224x224 image (inception_v3: 3x299x299), counted over torch.export's aten graph with a
# counter of its own and equal to torchvision's published `_ops` to the digits given there.
PINNED = {
    "alexnet": (61_100_840, 714_188_480),
    "convnext_tiny": (28_589_128, 4_455_531_264),
    "densenet121": (7_978_856, 2_834_161_664),
    "efficientnet_b0": (5_288_548, 385_814_752),
    "googlenet": (6_624_904, 1_498_376_192),
    "inception_v3": (27_161_264, 5_713_216_096),
    "mnasnet1_0": (4_383_312, 314_415_872),
    "mobilenet_v2": (3_504_872, 300_774_272),
    "mobilenet_v3_large": (5_483_032, 216_589_760),
    "mobilenet_v3_small": (2_542_856, 56_510_400),
    "regnet_y_400mf": (4_344_144, 401_842_848),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet50": (25_557_032, 4_089_184_256),
    "shufflenet_v2_x1_0": (2_278_604, 144_907_992),
    "squeezenet1_0": (1_248_424, 818_924_576),
    "swin_t": (28_288_354, 4_490_566_656),
    "vgg16": (138_357_544, 15_470_264_320),
    "vit_b_16": (86_567_656, 17_563_828_224),
}
# Their parameters are all used at inference; inception_v3's auxiliary classifier is not, swin_t's bias tables are
# gathered ahead of it.
ALL_USED = sorted(set(PINNED) - {"inception_v3", "swin_t"})


@pytest.fixture(scope="module")
def graphs() -> dict[str, LayerGraph]:
    return {}


def _graph(name: str, graphs: dict[str, LayerGraph]) -> LayerGraph:
    if name not in graphs:
        graphs[name] = resolve_workload(f"torchvision/{name}").trace()
    return graphs[name]


@pytest.mark.parametrize("name", PINNED)
def test_totals(name: str, graphs: dict[str, LayerGraph]) -> None:
    graph = _graph(name, graphs)
    assert (graph.parameters, graph.macs) == PINNED[name]
    assert graph.unmodelled == {}


@pytest.mark.parametrize("name", PINNED)
def test_graph_is_whole(name: str, graphs: dict[str, LayerGraph]) -> None:
    check_graph(_graph(name, graphs))


@pytest.mark.parametrize("name", ALL_USED)
def test_layers_own_every_parameter(name: str, graphs: dict[str, LayerGraph]) -> None:
    graph = _graph(name, graphs)
    roots = {graph.edges[edge].storage for layer in graph.layers for edge in layer.parameters}
    assert sum(graph.edges[root].words for root in roots if graph.edges[root].kind == "parameter") == graph.parameters


@pytest.mark.parametrize(("name", "parameters", "macs"), [
    ("lightweight_cnn", 258_292, 15_753_728),
    ("resnet18", 11_220_132, 555_468_800),
])  # fmt: skip
def test_zoo(name: str, parameters: int, macs: int) -> None:
    graph = resolve_workload(name).trace()
    assert (graph.parameters, graph.macs) == (parameters, macs)
    check_graph(graph)


def test_batch_multiplies_macs_not_parameters() -> None:
    one, eight = resolve_workload("lightweight_cnn").trace(), resolve_workload("lightweight_cnn", batch=8).trace()
    assert eight.macs == 8 * one.macs
    assert eight.parameters == one.parameters
