"""What the axes of per-layer figures show: layers in order, the cheap ones of a long network together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from energysim.cost.results import LayerCost, VariantCost
from energysim.simulation.stored import StoredResult
from energysim.units import format_bytes

LAYERS = 40  # rows of a figure: more are not read
_NAME = 34  # characters

Row = tuple[str, tuple[LayerCost, ...]]


def layer_rows(layers: Sequence[LayerCost], cost: Callable[[LayerCost], float], limit: int = LAYERS) -> list[Row]:
    """A row per layer in execution order; of more than ``limit`` the costliest, the others together in a last one."""
    if len(layers) <= limit:
        return [(short(layer.name), (layer,)) for layer in layers]
    dearest = sorted(range(len(layers)), key=lambda at: -cost(layers[at]))[: limit - 1]
    kept = set(dearest)
    rest = tuple(layer for at, layer in enumerate(layers) if at not in kept)
    return [(short(layers[at].name), (layers[at],)) for at in sorted(kept)] + [(f"{len(rest)} other layers", rest)]


def variant_name(variant: VariantCost) -> str:
    """ "full 16x16, 64 KiB": what tells variants of one kind apart."""
    tile = "" if variant.tile is None else f" {variant.tile[0]}x{variant.tile[1]}"
    buffer = "" if variant.buffer_bytes is None else f", {format_bytes(variant.buffer_bytes)}"
    return f"{variant.variant}{tile}{buffer}"


def subject(result: StoredResult, variant: VariantCost | None = None) -> str:
    """The title of a figure: workload, device, variant."""
    batch = result.input_shapes[0][0] if result.input_shapes and result.input_shapes[0] else 1
    many = f", batch {batch}" if batch > 1 else ""
    which = "" if variant is None else f", {variant_name(variant)}"
    return f"{result.workload} on {result.arch}{many}{which}"


def variant_rows(results: Sequence[StoredResult]) -> list[tuple[str, StoredResult, VariantCost]]:
    """Every variant of every result, labelled by what differs among them."""
    workloads, archs = ({getattr(r, what) for r in results} for what in ("workload", "arch"))
    rows = []
    for result in results:
        about = [*([result.workload] if len(workloads) > 1 else []), *([result.arch] if len(archs) > 1 else [])]
        rows += [("\n".join([*about, variant_name(v).replace(", ", "\n")]), result, v) for v in result.variants]
    return rows


def common_subject(results: Sequence[StoredResult]) -> str:
    """Workload and device, as far as all results share them."""
    workloads, archs = (list(dict.fromkeys(getattr(r, what) for r in results)) for what in ("workload", "arch"))
    one = workloads[0] if len(workloads) == 1 else f"{len(workloads)} workloads"
    return f"{one} on {archs[0] if len(archs) == 1 else f'{len(archs)} devices'}"


def short(name: str) -> str:
    """The end of a long name, which tells layers apart."""
    return name if len(name) <= _NAME else "…" + name[-_NAME + 1 :]
