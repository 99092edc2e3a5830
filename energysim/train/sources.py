"""The data sets by name: where their images come from, and how they are normalized."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from energysim.errors import NotFoundError, UnavailableError, did_you_mean
from energysim.train.cifar import FORMATS, read_cifar
from energysim.train.extras import require
from energysim.train.images import DataError, FileImages, ImageSet, MemoryImages
from energysim.train.randomness import generator

Triple = tuple[float, float, float]

# CIFAR-100: as system S1 states them. CIFAR-10 and ImageNet: the statistics of their training sets that the field uses.
CIFAR_STATISTICS = {
    "cifar100": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
}
"""Mean and standard deviation of each channel, of pixels in 0..1."""
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

_DIGITS_TEST_IMAGES = 360  # a fifth of the 1,797
_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Source:
    """A data set before the split by seed. ``test`` is None where the set has no test part of its own.

    ``mean``, ``std``: of each channel, of pixels in 0..1. ``mirrors``: whether a mirrored image still shows its class.
    """

    name: str
    classes: tuple[str, ...]
    size: int
    train: ImageSet
    test: ImageSet | None
    mean: Triple
    std: Triple
    mirrors: bool = True
    validation: ImageSet | None = None


def open_source(name: str, root: Path, size: int | None, verified: bool) -> Source:
    """The data set ``name``: digits, cifar10, cifar100, synthetic or imagefolder:PATH; images of ``size`` x ``size``.

    Raises NotFoundError for another name, UnavailableError where a download or library is missing, DataError where the
    files are damaged.
    """
    if name.startswith("imagefolder:"):
        return _folder(Path(name.removeprefix("imagefolder:")), size or 224)
    makers: dict[str, Callable[[], Source]] = {
        "digits": lambda: _digits(size or 32),
        "synthetic": lambda: _synthetic(size or 32),
        **{key: functools.partial(_cifar, key, root, size or 32, verified) for key in FORMATS},
    }
    if name not in makers:
        known = (*makers, "imagefolder:PATH")
        raise NotFoundError(
            f"no data set named {name!r}", hint=did_you_mean(name, known) or f"known: {', '.join(known)}"
        )
    return makers[name]()


@functools.cache
def _digits(size: int) -> Source:
    """scikit-learn's 1,797 handwritten digits (8x8 pixels of 0..16), enlarged bilinearly, the same in three channels.

    The test part is every run's: a fifth, drawn once with a constant seed.
    """
    try:
        datasets = require("sklearn.datasets", "the data set digits")
    except UnavailableError as error:
        raise UnavailableError(error.what, hint=f"{error.hint}; --data synthetic needs nothing") from None
    raw = datasets.load_digits()
    labels = torch.from_numpy(raw.target).long()
    small = torch.from_numpy(raw.images).float().unsqueeze(1) * (255 / 16)
    large = F.interpolate(small, size=(size, size), mode="bilinear", align_corners=False)
    images = large.round().clamp(0, 255).to(torch.uint8).expand(-1, 3, -1, -1).contiguous()
    order = torch.from_numpy(generator("digits", "test part").permutation(len(labels)))
    test, train = order[:_DIGITS_TEST_IMAGES], order[_DIGITS_TEST_IMAGES:]
    mean, std = _statistics(images[train])
    return Source(
        "digits",
        tuple(str(digit) for digit in range(10)),
        size,
        MemoryImages(images[train], labels[train]),
        MemoryImages(images[test], labels[test]),
        mean,
        std,
        mirrors=False,
    )


@functools.cache
def _synthetic(size: int, count: int = 2000, classes: int = 10) -> Source:
    """Ten classes, each a smooth pattern of its own under noise: learnable, for smoke tests, of no meaning."""
    draw = generator("synthetic", size)
    coarse = torch.from_numpy(draw.random((classes, 3, 4, 4))).float()
    patterns = F.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False)
    labels = torch.arange(count) % classes
    noise = torch.from_numpy(draw.normal(0, 0.25, (count, 3, size, size))).float()
    images = ((patterns[labels] + noise) * 255).round().clamp(0, 255).to(torch.uint8)
    cut = count // 5
    mean, std = _statistics(images[cut:])
    names = tuple(f"pattern {index}" for index in range(classes))
    train, test = MemoryImages(images[cut:], labels[cut:]), MemoryImages(images[:cut], labels[:cut])
    return Source("synthetic", names, size, train, test, mean, std)


def _cifar(name: str, root: Path, size: int, verified: bool) -> Source:
    names, train, test = read_cifar(name, root, verified)
    mean, std = CIFAR_STATISTICS[name]
    return Source(name, names, size, _resized(train, size), _resized(test, size), mean, std)


def _resized(images: MemoryImages, size: int) -> MemoryImages:
    if images.images.shape[-1] == size:
        return images
    from torchvision.transforms.v2 import functional

    return MemoryImages(functional.resize(images.images, [size, size], antialias=True), images.labels)


def _folder(path: Path, size: int) -> Source:
    """One folder per class, or such folders within `train`, `val` (or `validation`) and `test`."""
    if not path.is_dir():
        raise NotFoundError(f"no folder {str(path)!r}", hint="imagefolder:PATH with one folder of images per class")
    training = path / "train" if (path / "train").is_dir() else path
    parts = {part: path / part for part in ("val", "validation", "test") if (path / part).is_dir()}
    found = training if training != path or not parts else None
    if found is None:
        raise DataError(f"{str(path)!r} has {' and '.join(parts)} but no train", hint="train beside them is right")
    classes = _class_names(training)
    validation = parts.get("val") or parts.get("validation")
    test = parts.get("test")
    if test is None and validation is not None:
        # Of two parts the second is what accuracy is reported on; validation then comes from the training images.
        validation, test = None, validation
    return Source(
        f"imagefolder:{path}",
        classes,
        size,
        _files(training, classes, size),
        None if test is None else _files(test, classes, size),
        *_IMAGENET,
        validation=None if validation is None else _files(validation, classes, size),
    )


def _class_names(path: Path) -> tuple[str, ...]:
    names = tuple(sorted(entry.name for entry in path.iterdir() if entry.is_dir()))
    if len(names) < 2:
        raise DataError(f"{str(path)!r} has {len(names)} folders of images", hint="one folder per class, two or more")
    return names


def _files(path: Path, classes: tuple[str, ...], size: int) -> FileImages:
    unknown = [entry.name for entry in path.iterdir() if entry.is_dir() and entry.name not in classes]
    if unknown:
        raise DataError(f"{str(path)!r} has classes that the training part lacks: {', '.join(sorted(unknown))}")
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        folder = path / name
        inside = sorted(folder.rglob("*")) if folder.is_dir() else []
        images = [file for file in inside if file.suffix.lower() in _SUFFIXES and file.is_file()]
        files += images
        labels += [label] * len(images)
    if not files:
        raise DataError(f"no image below {str(path)!r}", hint=f"files ending in {', '.join(_SUFFIXES)}")
    return FileImages(tuple(files), torch.tensor(labels, dtype=torch.int64), size)


def _statistics(images: Tensor) -> tuple[Triple, Triple]:
    """Mean and standard deviation of every channel of uint8 images [N, 3, H, W], of pixels in 0..1."""
    pixels = images.double().div(255).transpose(0, 1).flatten(1)
    mean, std = pixels.mean(1).tolist(), pixels.std(1).tolist()
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])
