"""The command line. Every command lives in a module of its own that is imported only when it runs."""

from __future__ import annotations

import importlib
import sys

import click

from energysim.errors import EnergySimError

# command -> (module, attribute, one line for --help): kept here so that --help imports nothing else.
_COMMANDS = {
    "simulate": ("energysim.cli.simulate", "simulate", "Energy, DRAM traffic and latency of a network on a device."),
    "report": ("energysim.cli.report", "report", "One self-contained page of results: tables, plots, layer graphs."),
    "trace": ("energysim.cli.trace", "trace", "The layer graph: shapes, MACs, parameters, unmodelled operators."),
    "map": ("energysim.cli.map", "map_command", "The best mapping of one layer: loop nest, tiles, counts, energy."),
    "model": ("energysim.cli.model", "model", "Evaluate one given mapping (Timeloop v0.4 YAML)."),
    "validate": ("energysim.cli.validate", "validate", "The same mappings through several engines; what differs, why."),
    "verify": ("energysim.cli.verify", "verify", "Execute a schedule tile by tile; compare outputs and words moved."),
    "sweep": ("energysim.cli.sweep", "sweep", "Design spaces in parallel: resumable, stored, with Pareto fronts."),
    "train": ("energysim.cli.train", "train", "Train models; accuracy beside energy, over several seeds."),
    "compress": ("energysim.cli.compress", "compress", "Prune, quantize, distill: accuracy beside the energy saved."),
    "training-energy": ("energysim.cli.training_energy", "training_energy", "What training costs on a device."),
    "training-sweep": ("energysim.cli.training_sweep", "training_sweep", "Accuracy against the energy of training."),
    "overlap": ("energysim.cli.overlap", "overlap", "Accuracy and memory access of tiles with too little overlap."),
    "explain": ("energysim.cli.explain", "explain", "The constants that a result rests on, their swings and sources."),
    "evaluate": ("energysim.cli.evaluate", "evaluate", "Accuracy, per class, confusion, calibration of a checkpoint."),
    "compare": ("energysim.cli.compare", "compare", "Trained models, or simulated results, side by side."),
    "plot": ("energysim.cli.plot", "plot", "Figures of stored results, sweeps and training runs."),
    "reproduce": ("energysim.cli.reproduce", "reproduce", "Every claim of systems S1-S4: computed, verdict, reason."),
    "visualize": ("energysim.cli.visualize", "visualize", "Architecture diagrams; the figures of training runs."),
    "measure": ("energysim.cli.measure", "measure", "Latency and joules per inference on a real device."),
    "calibrate": ("energysim.cli.calibrate", "calibrate", "Fit a device's constants to measurements."),
    "arch": ("energysim.cli.arch", "arch", "List, show, check and import device descriptions."),
    "workload": ("energysim.cli.workload", "workload", "List, show and import workloads."),
    "export": ("energysim.cli.export", "export", "Write a network and a device as files for Timeloop."),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported on use; listing them imports nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from energysim.errors import did_you_mean

        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            hint = did_you_mean(args[0], _COMMANDS) or f"commands: {', '.join(_COMMANDS)}"
            ctx.fail(f"no such command {args[0]!r} ({hint})")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items()])


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from energysim.version import __version__

        click.echo(f"energysim {__version__}")
        ctx.exit()


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
def cli() -> None:
    """Where the energy, the DRAM traffic and the time of a PyTorch model go on edge hardware.

    \b
    energysim simulate lightweight_cnn --arch jetson_nano
    energysim simulate mypackage.mymodel:build --input 1x3x224x224 --arch eyeriss
    energysim arch list
    """


def main() -> None:
    """Entry point: an EnergySimError becomes one message on stderr and exit code 2, Ctrl-C exit code 130."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except EnergySimError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
