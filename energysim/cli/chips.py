"""``energysim validate chips``: predictions beside published measurements."""

from __future__ import annotations

from pathlib import Path


def validate_chips(out: str | None) -> None:
    """Computes every comparison; prints the page, or writes ``OUT/validation.md`` and its figures."""
    import click

    from energysim.calibration.jetson import jetson_nano_validation, jetson_orin_nano_validation
    from energysim.cli.output import progress_bar, write_text
    from energysim.report.chip_plots import eyeriss_figure, nano_figure
    from energysim.report.chips_page import COMMAND, ChipComparisons, chips_page
    from energysim.report.plots.save import save_figure
    from energysim.validation.chip_energy import fit_chip_energy
    from energysim.validation.defines import compare_defines
    from energysim.validation.eyeriss import compare_eyeriss
    from energysim.validation.own_mapping import own_mappings

    alexnet, vgg = compare_eyeriss("alexnet"), compare_eyeriss("vgg16")
    with progress_bar("Jetson Nano's networks") as progress:
        nano = jetson_nano_validation(progress)
    found = ChipComparisons(
        alexnet,
        vgg,
        fit_chip_energy(alexnet),
        own_mappings("alexnet"),
        own_mappings("vgg16"),
        compare_defines(),
        nano,
        jetson_orin_nano_validation(),
    )
    if out is None:
        click.echo(chips_page(found, "figures"))
        return
    figures = Path(out) / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for name, figure in (("eyeriss", eyeriss_figure(alexnet, vgg, found.fit)), ("nano", nano_figure(nano))):
        save_figure(figure, figures / f"validation_{name}.png", COMMAND)
    write_text(chips_page(found, "figures"), str(Path(out) / "validation.md"))
    click.echo(f"wrote {Path(out) / 'validation.md'} and its figures", err=True)
