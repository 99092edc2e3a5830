"""Labelled images of one part of a data set: held in memory, or decoded from files when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from energysim.errors import EnergySimError, Location


class DataError(EnergySimError):
    """A data set's files are damaged or not what the data set's name promises."""


class ImageSet(Protocol):
    """``labels`` [N] int64; ``take(indices)`` gives uint8 images [len(indices), C, H, W]."""

    @property
    def labels(self) -> Tensor: ...

    def take(self, indices: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class MemoryImages:
    """``images`` [N, C, H, W] uint8 and ``labels`` [N] int64."""

    images: Tensor
    labels: Tensor

    def take(self, indices: Tensor) -> Tensor:
        return self.images[indices]


@dataclass(frozen=True, eq=False)
class FileImages:
    """Image files, decoded to RGB, their shorter side resized to ``size`` and the middle square cut out."""

    files: tuple[Path, ...]
    labels: Tensor
    size: int

    def take(self, indices: Tensor) -> Tensor:
        return torch.stack([self._decoded(self.files[index]) for index in indices.tolist()])

    def _decoded(self, file: Path) -> Tensor:
        from PIL import Image, UnidentifiedImageError
        from torchvision.transforms import v2
        from torchvision.transforms.v2 import functional

        try:
            with Image.open(file) as picture:
                pixels = functional.pil_to_tensor(picture.convert("RGB"))
        except (OSError, UnidentifiedImageError) as error:
            raise DataError(f"no readable image: {error}", where=Location(str(file))) from None
        square: Tensor = v2.Compose([v2.Resize(self.size, antialias=True), v2.CenterCrop(self.size)])(pixels)
        return square
