"""Any stacks of any network, executed tile by tile: every feature map bit for bit, every word and MAC as scheduled."""

from __future__ import annotations

import functools
from collections.abc import Callable

import nets
import pytest
import torch
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from energysim.errors import EnergySimError
from energysim.inputs import InputSpec
from energysim.nn.executor import operators
from energysim.nn.executor.operators import Reads
from energysim.nn.executor.program import ExecutableProgram, ExecutionError
from energysim.nn.executor.run import run_schedule
from energysim.nn.executor.verify import prepare_exactly, verify
from energysim.nn.zoo import lightweight_cnn, resnet18
from energysim.schedule.values import Overlap, Retained, Schedule, Stack
from energysim.schedule.variants import make_schedule

_NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "lightweight_cnn": (lightweight_cnn, (2, 3, 32, 32)),
    "resnet18": (resnet18, (1, 3, 32, 32)),
    "resnet18_imagenet": (torchvision.models.resnet18, (1, 3, 64, 64)),
    "mobilenet_v2": (torchvision.models.mobilenet_v2, (1, 3, 64, 64)),
    "densenet121": (torchvision.models.densenet121, (1, 3, 32, 32)),
    "squeezenet": (torchvision.models.squeezenet1_0, (1, 3, 35, 35)),
    "shufflenet": (torchvision.models.shufflenet_v2_x0_5, (1, 3, 32, 32)),
    "unet": (nets.UNet, (2, 3, 24, 20)),
    "fsrcnn": (nets.Fsrcnn, (1, 1, 24, 31)),
    "oddities": (nets.Oddities, (2, 4, 24, 39)),
    "borders": (nets.Borders, (1, 3, 13, 11)),
}
_EXAMPLES = {"lightweight_cnn": 25, "unet": 20, "fsrcnn": 15, "oddities": 40, "borders": 15}


@functools.cache
def _program(name: str) -> ExecutableProgram:
    make, shape = _NETWORKS[name]
    torch.manual_seed(0)
    return prepare_exactly(make(), (InputSpec(shape),), seed=1)


@pytest.mark.parametrize("name", _NETWORKS)
def test_any_schedule_computes_the_network_and_moves_what_it_says(name: str) -> None:
    program = _program(name)

    @settings(max_examples=_EXAMPLES.get(name, 4), deadline=None, suppress_health_check=list(HealthCheck))
    @given(schedule=nets.schedules(program.graph))
    def check(schedule: Schedule) -> None:
        result = verify(program, schedule)
        assert result.wrong == ()
        assert [check.differences for check in result.checks if check.differences] == []
        assert result.passed
        assert result.exact_maps >= result.compared_maps - 2  # the average over a plane of another size than 2^n

    check()


def test_parts_of_fused_attention() -> None:
    program = prepare_exactly(nets.Attention(), (InputSpec((2, 4, 8)),))
    result = verify(program, make_schedule(program.graph, "buffered", buffer_bytes=200))
    assert {"pick", "softmax", "matmul"} <= {layer.op for layer in program.graph.layers}
    assert result.passed and 0 < result.exact_maps < result.compared_maps
    assert result.largest_error < 1e-14


def test_values_are_not_trivial() -> None:
    """Whole-number weights leave outputs that depend on the input everywhere: no word could go missing unseen."""
    program = _program("unet")
    assert program.expected[0].unique().numel() > 50
    assert float((program.expected[0] != 0).double().mean()) > 0.5


def _two_convolutions() -> ExecutableProgram:
    net = nn.Sequential(nn.Conv2d(8, 8, 3, bias=False), nn.Conv2d(8, 8, 3, bias=False))
    return prepare_exactly(net, (InputSpec((1, 8, 20, 20)),))


def test_two_line_buffered_convolutions_by_hand() -> None:
    """8-8-8 channels, a 16x16 ofmap of two valid 3x3 convolutions: 6,400 words of DRAM in 2,064 on chip."""
    program = _two_convolutions()
    stack = Stack(("0", "1"), (1, 1), Overlap.CACHE)
    done = run_schedule(program, Schedule("full", (stack,)))
    (trace,) = done.stacks
    assert torch.equal(done.outputs[0], program.expected[0])
    assert (trace.loaded.total(), trace.weights.total(), trace.stored.total()) == (8 * 400, 2 * 576, 8 * 256)
    assert done.loaded_words + done.stored_words == 6400
    assert done.macs_executed == 576 * (18 * 18 + 16 * 16)
    assert trace.peak_words + trace.weights.total() <= 2064


def test_recomputed_halo_by_hand() -> None:
    """Four tiles of 8x8: each fetches 12x12 of 20x20 and computes 10x10 of the map in between."""
    program = _two_convolutions()
    done = run_schedule(program, Schedule("full", (Stack(("0", "1"), (8, 8), weights_resident=False),)))
    (trace,) = done.stacks
    assert trace.loaded.total() == 4 * 8 * 12 * 12
    assert trace.macs == {"0": 4 * 100 * 576, "1": 256 * 576}
    assert trace.weights == {"0": 4 * 576, "1": 4 * 576}
    assert torch.equal(done.outputs[0], program.expected[0])


def test_retained_channels_never_cross_dram() -> None:
    program = _two_convolutions()
    done = run_schedule(program, Schedule("buffered", (Stack(("0",)), Stack(("1",))), (Retained("0", 3),)))
    assert done.stacks[0].stored == {"0": 5 * 18 * 18}
    assert done.stacks[1].loaded == {"0": 5 * 18 * 18}
    assert torch.equal(done.outputs[0], program.expected[0])


def test_a_halo_that_is_too_small_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the last tap of each window forgotten, the executor would read words that are not there."""
    whole = operators._axis_reads

    def short(*arguments: object) -> Reads | None:
        reads = whole(*arguments)  # type: ignore[arg-type]
        return None if reads is None else Reads(reads.size_in, lambda x: list(reads.behind(x))[:2])

    program = _two_convolutions()
    monkeypatch.setattr(operators, "_axis_reads", short)
    result = verify(program, Schedule("full", (Stack(("0", "1"), (5, 5)),)))
    assert not result.outputs_equal and not result.passed


def test_a_wrong_promise_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from energysim.nn.executor import scheduled

    program = _two_convolutions()
    schedule = Schedule("full", (Stack(("0", "1"), (5, 5)),))
    monkeypatch.setattr(
        scheduled, "plan_stack", lambda graph, stack: plan(graph, Stack(stack.layers, (5, 6), stack.overlap))
    )
    from energysim.schedule.plan import plan_stack as plan

    result = verify(program, schedule)
    assert result.outputs_equal and not result.passed
    assert any("words loaded of" in text for text in result.checks[0].differences)


@pytest.mark.parametrize(
    ("stacks", "word"),
    [
        ((Stack(("0",)),), "runs no layer 1"),
        ((Stack(("1",)), Stack(("0",))), "no stack before it has written"),
        ((Stack(("0",)), Stack(("0",)), Stack(("1",))), "runs layer '0' more than once"),
    ],
)
def test_schedules_that_cannot_run_are_refused(stacks: tuple[Stack, ...], word: str) -> None:
    program = _two_convolutions()
    with pytest.raises(ExecutionError) as caught:
        run_schedule(program, Schedule("full", stacks))
    assert word in str(caught.value)


def test_a_layer_that_is_not_local_is_not_tiled() -> None:
    program = _program("lightweight_cnn")
    others = tuple(Stack((layer.name,)) for layer in program.graph.layers[:-2])
    with pytest.raises(EnergySimError) as caught:
        run_schedule(program, Schedule("tiled", (*others, Stack(("classifier",), (2, 2)))))
    assert "'classifier' is not local" in str(caught.value)


def test_float32_is_held_to_a_tolerance() -> None:
    from energysim.nn.executor import prepare

    torch.manual_seed(0)
    program = prepare(nets.UNet(), (torch.rand(1, 3, 16, 16),))
    layers = tuple(layer.name for layer in program.graph.layers)
    result = verify(program, Schedule("full", (Stack(layers, (3, 5)),)))
    assert result.passed and result.exact_maps == 0
    assert 0.0 <= result.largest_error <= result.tolerance == 1e-4


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_results_do_not_depend_on_the_seed(seed: int) -> None:
    program = prepare_exactly(nets.Oddities(), (InputSpec((1, 4, 16, 17)),), seed=seed)
    layers = [layer.name for layer in program.graph.layers if layer.kind.value != "view"]
    stacks = tuple(Stack((name,)) for name in layers)
    assert verify(program, Schedule("layerwise", stacks)).passed
