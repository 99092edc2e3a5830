"""Devices, processes and precision of a run, through Lightning Fabric."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import torch

from energysim.errors import UnavailableError
from energysim.train.extras import require
from energysim.train.recipe import Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_PRECISION = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def make_fabric(recipe: Recipe, device: str = "auto", devices: int = 1) -> Fabric:
    """``device``: auto (the GPU where there is one), cpu or cuda; ``devices``: how many, each with its own process.

    Raises UnavailableError where Lightning Fabric or the device is missing, or 16-bit floats are asked of the CPU.
    """
    fabric = require("lightning_fabric", "training")
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if chosen == "cuda" and devices > torch.cuda.device_count():
        raise UnavailableError(
            f"{devices} CUDA device{'s' * (devices > 1)} asked for, {torch.cuda.device_count()} found",
            hint="--device cpu",
        )
    if chosen == "cpu" and recipe.precision == "16":
        raise UnavailableError("precision '16' needs a GPU", hint="'32' or 'bf16' is right on a CPU")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning_fabric")
    ddp = "ddp_find_unused_parameters_true" if recipe.stages else "ddp"
    made: Fabric = fabric.Fabric(
        accelerator=chosen,
        devices=devices,
        strategy=ddp if devices > 1 else "auto",
        precision=_PRECISION[recipe.precision],
    )
    made.launch()
    return made
