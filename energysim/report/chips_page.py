"""The page that sets predictions beside published chips and boards: docs/validation.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template

from energysim.arch.loader import load_arch
from energysim.calibration.jetson import KernelOnOrin, NanoValidation
from energysim.report.chips import error, eyeriss_energy, eyeriss_traffic, eyeriss_whole, markdown_table
from energysim.report.defines import defines_parts, defines_table, defines_verdict
from energysim.validation.chip_energy import ChipEnergyFit
from energysim.validation.chip_overheads import CONTROL_SHARE, LINK_MACS, Overheads, overheads
from energysim.validation.defines import FusedPoint, their_parts
from energysim.validation.eyeriss import ComparedLayer
from energysim.validation.own_mapping import OwnLayer
from energysim.version import __version__

COMMAND = "energysim validate chips --out docs"


@dataclass(frozen=True)
class ChipComparisons:
    """Everything that the page shows."""

    alexnet: Sequence[ComparedLayer]
    vgg: Sequence[ComparedLayer]
    fit: ChipEnergyFit
    own_alexnet: Sequence[OwnLayer]
    own_vgg: Sequence[OwnLayer]
    defines: Sequence[FusedPoint]
    nano: NanoValidation
    orin: Sequence[KernelOnOrin]


def chips_page(found: ChipComparisons, figures: str) -> str:
    """Markdown. ``figures``: where the pictures lie, relative to the page."""
    text = resources.files("energysim.report").joinpath("templates", "validation.md").read_text(encoding="utf-8")
    values = {"command": COMMAND, "version": __version__, "figures": figures}
    return Template(text).substitute(
        {**values, **_eyeriss(found), **_defines(found), **_nano(found.nano), **_orin(found)}
    )


def _eyeriss(found: ChipComparisons) -> Mapping[str, str]:
    measured_j = sum(one.measured.energy_j for one in found.alexnet)
    raw_j = sum(one.predicted.energy_j for one in found.alexnet)
    nominal, low, high = overheads()

    def chip_j(layers: Sequence[ComparedLayer], which: Overheads) -> float:
        return sum(which.energy(one, one.predicted.total_s).total_j for one in layers)

    vgg_j = sum(one.measured.energy_j for one in found.vgg)
    gated_j = sum(one.predicted.gated_energy_j or 0.0 for one in found.alexnet)
    total_s = sum(one.measured.total_s for one in found.alexnet)
    own = [*found.own_alexnet, *found.own_vgg]
    proven = sum(layer.optimal for layer in own)
    return {
        "alexnet_traffic": eyeriss_traffic(found.alexnet),
        "vgg_traffic": eyeriss_traffic(found.vgg),
        "total_ms": f"{total_s * 1e3:.1f}",
        "processing_total_error": error(sum(one.predicted.latency_s for one in found.alexnet), total_s),
        "total_error": error(sum(one.predicted.total_s for one in found.alexnet), total_s),
        "predicted_ms": f"{sum(one.predicted.total_s for one in found.alexnet) * 1e3:.1f}",
        "vgg_total_error": error(
            sum(one.predicted.total_s for one in found.vgg), sum(one.measured.total_s for one in found.vgg)
        ),
        "chip_energy": eyeriss_whole(found.alexnet, nominal),
        "vgg_chip_energy": eyeriss_whole(found.vgg, nominal),
        "chip_error": error(chip_j(found.alexnet, nominal), measured_j),
        "chip_low": error(chip_j(found.alexnet, low), measured_j),
        "chip_high": error(chip_j(found.alexnet, high), measured_j),
        "vgg_chip_error": error(chip_j(found.vgg, nominal), vgg_j),
        "clock_source": _clock_source(),
        "link_source": LINK_MACS.source,
        "control_source": CONTROL_SHARE.source,
        "measured_mj": f"{measured_j * 1e3:.2f}",
        "raw_mj": f"{raw_j * 1e3:.2f}",
        "gated_mj": f"{gated_j * 1e3:.2f}",
        "gated_error": error(gated_j, measured_j),
        "scale": f"{found.fit.scale:.2f}",
        "steady_mw": f"{found.fit.steady_power_w * 1e3:.0f}",
        "alexnet_energy": eyeriss_energy(found.alexnet, found.fit, fitted=True),
        "vgg_energy": eyeriss_energy(found.vgg, found.fit, fitted=False),
        "own_proof": f"{proven} of {len(own)} layers proven optimal",
        "own": _own(found),
    }


def _clock_source() -> str:
    clock = load_arch("eyeriss").idle_power_w
    return "" if clock is None else f"{clock.value * 1e3:.1f} mW ({clock.source})"


def _own(found: ChipComparisons) -> str:
    head = ["", "ms chip", "ms own", "GLB MB chip", "GLB MB own", "DRAM MB chip", "DRAM MB own", "mJ chip", "mJ own"]
    rows = []
    for name, chip, own in (
        ("AlexNet", [one.predicted for one in found.alexnet], found.own_alexnet),
        ("VGG-16", [one.predicted for one in found.vgg], found.own_vgg),
    ):
        pairs = (
            (sum(x.latency_s for x in chip) * 1e3, sum(x.latency_s for x in own) * 1e3),
            (sum(x.glb_bytes for x in chip) / 1e6, sum(x.glb_bytes for x in own) / 1e6),
            (sum(x.dram_bytes for x in chip) / 1e6, sum(x.dram_bytes for x in own) / 1e6),
            (sum(x.energy_j for x in chip) * 1e3, sum(x.energy_j for x in own) * 1e3),
        )
        rows.append([name, *(f"{value:,.1f}" for pair in pairs for value in pair)])
    return markdown_table(head, rows)


def _defines(found: ChipComparisons) -> Mapping[str, str]:
    return {
        "defines": defines_table(found.defines),
        "defines_verdict": defines_verdict(found.defines),
        "defines_parts": defines_parts(found.defines, their_parts()),
    }


def _nano(nano: NanoValidation) -> Mapping[str, str]:
    head = ["network", "measured ms", "as shipped", "interval", "", "all fitted", "", "other half fitted", "", "W", "W"]
    rows = [
        [
            n.network,
            f"{n.measured_s * 1e3:.1f}",
            f"{n.predicted_s * 1e3:.1f}",
            f"{n.low_s * 1e3:.1f} .. {n.high_s * 1e3:.1f}",
            error(n.predicted_s, n.measured_s),
            f"{n.fitted_s * 1e3:.1f}",
            error(n.fitted_s, n.measured_s),
            f"{n.other_half_s * 1e3:.1f}",
            error(n.other_half_s, n.measured_s),
            f"{n.power_w:.1f}",
            f"{n.calibrated_power_w:.1f}",
        ]
        for n in nano.networks
    ]
    constants = (f"{c.name} {c.value:.3g} {c.unit} ({c.low:.3g} to {c.high:.3g})" for c in nano.fit.fitted)
    return {
        "nano_source": nano.source,
        "nano": markdown_table(head, rows),
        "nano_error": f"{nano.error:.1%}",
        "nano_fitted_error": f"{nano.fitted_error:.1%}",
        "nano_half_error": f"{nano.other_half_error:.1%}",
        "first_half": f"{nano.other_half_errors['first']:.1%}",
        "second_half": f"{nano.other_half_errors['second']:.1%}",
        "nano_bound": "Every prediction keeps" if nano.within_power else "Not every prediction keeps",
        "nano_constants": "; ".join(constants),
    }


def _orin(found: ChipComparisons) -> Mapping[str, str]:
    head = ["kernel", "mode", "measured", "predicted", "interval", ""]
    rows = [
        [
            kernel.kernel,
            kernel.mode,
            f"{kernel.measured:.1f} {kernel.unit}",
            f"{kernel.predicted:.1f}",
            f"{kernel.low:.1f} .. {kernel.high:.1f}",
            error(kernel.predicted, kernel.measured),
        ]
        for kernel in found.orin
    ]
    return {"orin": markdown_table(head, rows)}
