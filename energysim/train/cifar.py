"""CIFAR-10 and CIFAR-100 in the "python version" format, downloaded with a checksum by torchvision."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from energysim.errors import Location, UnavailableError
from energysim.train.images import DataError, MemoryImages

# What a NumPy array in a pickle is made of; a damaged or hostile file can name nothing else.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),
}


@dataclass(frozen=True)
class CifarFormat:
    """File names and keys of one of the two sets; the checksums are torchvision's."""

    torchvision_name: str
    label_key: str
    names_file: str
    names_key: str


FORMATS = {
    "cifar10": CifarFormat("CIFAR10", "labels", "batches.meta", "label_names"),
    "cifar100": CifarFormat("CIFAR100", "fine_labels", "meta", "fine_label_names"),
}


def read_cifar(name: str, root: Path, verified: bool = True) -> tuple[tuple[str, ...], MemoryImages, MemoryImages]:
    """Class names, training images and test images [N, 3, 32, 32].

    Files lie in ``root`` in the folder of the archive; where they do not, the archive is downloaded there. With
    ``verified`` every file must have its published checksum.

    Raises:
        UnavailableError: the files are not there and cannot be downloaded.
        DataError: a file has another checksum or content than the data set's.
    """
    from torchvision import datasets

    layout = FORMATS[name]
    published = getattr(datasets, layout.torchvision_name)
    folder = root / published.base_folder
    parts = [*published.train_list, *published.test_list, (layout.names_file, published.meta["md5"])]
    if not folder.is_dir():
        _download(published, root, name)
    for file, md5 in parts:
        _present(folder / file, md5 if verified else None)
    names = _read(folder / layout.names_file).get(layout.names_key)
    if not isinstance(names, list) or not names:
        raise DataError(f"no list {layout.names_key!r}", where=Location(str(folder / layout.names_file)))
    read = [
        [_images(folder / file, layout.label_key, len(names)) for file, _ in part]
        for part in (published.train_list, published.test_list)
    ]
    train, test = (MemoryImages(*(torch.cat(tensors) for tensors in zip(*part, strict=True))) for part in read)
    return tuple(str(item) for item in names), train, test


def _download(published: Any, root: Path, name: str) -> None:
    from torchvision.datasets.utils import download_and_extract_archive

    try:
        root.mkdir(parents=True, exist_ok=True)
        download_and_extract_archive(published.url, str(root), filename=published.filename, md5=published.tgz_md5)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise UnavailableError(
            f"{name} is not in {str(root)!r} and cannot be downloaded: {reason}",
            hint=f"put {published.filename} or {published.base_folder} there; --data digits needs no network",
        ) from None


def _present(file: Path, md5: str | None) -> None:
    from torchvision.datasets.utils import check_md5

    if not file.is_file():
        raise DataError("the data set's folder lacks this file", where=Location(str(file)), hint=_AGAIN)
    if md5 is not None and not check_md5(str(file), md5):
        hint = f"{_AGAIN}; --unverified takes files of your own in this format"
        raise DataError("the file's checksum is not the published one", where=Location(str(file)), hint=hint)


_AGAIN = "delete the folder to have it downloaded again"


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")
        return super().find_class(module_name, global_name)


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            content = _ArraysOnly(stream, encoding="latin1").load()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=Location(str(file))) from None
    except Exception as error:  # a damaged pickle raises nearly anything
        raise DataError(f"no file of this data set: {error}", where=Location(str(file)), hint=_AGAIN) from None
    if not isinstance(content, dict):
        raise DataError("no dictionary, as CIFAR's files are", where=Location(str(file)), hint=_AGAIN)
    return content


def _images(file: Path, label_key: str, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    content = _read(file)
    pixels, labels = content.get("data"), content.get(label_key)
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != 3072 or pixels.dtype != np.uint8:
        raise DataError("'data' is no array of rows of 3072 bytes", where=Location(str(file)), hint=_AGAIN)
    if not isinstance(labels, list) or len(labels) != len(pixels) or not all(0 <= label < classes for label in labels):
        what = f"{label_key!r} is no list of {len(pixels)} classes from 0 to {classes - 1}"
        raise DataError(what, where=Location(str(file)), hint=_AGAIN)
    images = torch.from_numpy(pixels.copy()).view(-1, 3, 32, 32)
    return images, torch.tensor(labels, dtype=torch.int64)
