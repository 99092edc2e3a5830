"""A data set split for training, validation and test, and the batches of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from energysim.train.images import DataError, ImageSet
from energysim.train.randomness import generator, seed_of, seeded
from energysim.train.recipe import Augment
from energysim.train.sources import Source, Triple, open_source

VALIDATION_SHARE = 0.1
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Split:
    """Some images of a set, by ``indices`` [N]."""

    images: ImageSet
    indices: Tensor

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def labels(self) -> Tensor:
        return self.images.labels[self.indices]


@dataclass(frozen=True, eq=False)
class Data:
    """A data set ready for training. ``workers``: processes that decode and augment (0: none but this one)."""

    name: str
    classes: tuple[str, ...]
    size: int
    mean: Triple
    std: Triple
    mirrors: bool
    train: Split
    validation: Split
    test: Split
    workers: int = 0

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return (3, self.size, self.size)

    def limited(self, images: int) -> Data:
        """At most so many images in every part: for a dry run."""
        cut = {part: _first(getattr(self, part), images) for part in ("train", "validation", "test")}
        return replace(self, train=cut["train"], validation=cut["validation"], test=cut["test"])

    def steps(self, batch: int, world: int = 1) -> int:
        """Steps of an epoch: the last batch counts if every process gets two images of it (BatchNorm needs two)."""
        whole, rest = divmod(len(self.train), batch)
        return whole + (rest >= 2 * world)

    def training_batches(
        self,
        batch: int,
        seed: int,
        epoch: int,
        *,
        augment: Augment | None = None,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        size: int | None = None,
    ) -> DataLoader[Batch]:
        """Shuffled, augmented batches of epoch ``epoch`` from step ``start`` on.

        Normalized images [batch / world, 3, H, W] and labels. What a step holds depends on (seed, epoch, step, rank,
        world) alone. ``size``: side to resize to.
        """
        order = self.train.indices[torch.from_numpy(generator(seed, "order", epoch).permutation(len(self.train)))]
        places = [
            _Place(order[step * batch : (step + 1) * batch][rank::world], seed_of(seed, "augment", epoch, step, rank))
            for step in range(start, self.steps(batch, world))
        ]
        transform = _transform(self, augment or Augment(), size)
        return self._loader(_Batches(self.train.images, places, transform))

    def batches(self, part: str, batch: int, *, mirrored: bool = False) -> DataLoader[Batch]:
        """Batches of "train", "validation" or "test" in order, normalized, not augmented; ``mirrored``: flipped."""
        split: Split = getattr(self, part)
        places = [_Place(indices, 0) for indices in torch.split(split.indices, batch)]
        return self._loader(_Batches(split.images, places, _plain_transform(self, mirrored)))

    def _loader(self, batches: _Batches) -> DataLoader[Batch]:
        return DataLoader(
            batches,
            batch_size=None,
            num_workers=self.workers,
            collate_fn=_as_it_is,
            generator=torch.Generator(),  # else it would draw from the global one
        )


def open_data(
    name: str = "digits",
    root: str | Path = "data",
    *,
    image_size: int | None = None,
    seed: int = 0,
    limit: int | None = None,
    verified: bool = True,
    workers: int = 0,
) -> Data:
    """A data set by name (digits, cifar10, cifar100, synthetic, imagefolder:PATH), split by ``seed``.

    A tenth of the training images (drawn by ``seed``) validates. A set without a test part gives another tenth, drawn
    with a constant seed, so that runs of all seeds are tested on the same images. ``limit``: images per part.
    ``verified``: CIFAR's files must have their published checksums. Raises NotFoundError, UnavailableError, DataError.
    """
    source = open_source(name, Path(root), image_size, verified)
    data = _split(source, seed, workers)
    return data if limit is None else data.limited(limit)


def _split(source: Source, seed: int, workers: int) -> Data:
    rest = torch.arange(len(source.train.labels))
    if source.test is None:
        rest, test_indices = _parted(rest, "test part")
        test = Split(source.train, test_indices)
    else:
        test = Split(source.test, torch.arange(len(source.test.labels)))
    if source.validation is None:
        rest, validation_indices = _parted(rest, seed, "validation part")
        validation = Split(source.train, validation_indices)
    else:
        validation = Split(source.validation, torch.arange(len(source.validation.labels)))
    train = Split(source.train, rest)
    if len(train) < 2 or not len(validation) or not len(test):
        counts = f"{len(train)} images train, {len(validation)} validate, {len(test)} test"
        raise DataError(f"{source.name} is too small: {counts}", hint="twenty images or more are right")
    return Data(
        source.name,
        source.classes,
        source.size,
        source.mean,
        source.std,
        source.mirrors,
        train,
        validation,
        test,
        workers,
    )


def _parted(indices: Tensor, *place: int | str) -> tuple[Tensor, Tensor]:
    """What remains and the share that is drawn, both in ascending order."""
    order = torch.from_numpy(generator(*place).permutation(len(indices)))
    count = round(len(indices) * VALIDATION_SHARE)
    return indices[order[count:].sort().values], indices[order[:count].sort().values]


def _first(split: Split, images: int) -> Split:
    return Split(split.images, split.indices[:images])


class _Place(NamedTuple):
    """One batch: which images, and the seed of its augmentation."""

    indices: Tensor
    seed: int


class _Batches(Dataset[Batch]):
    """Item ``i`` is a whole batch: augmentation is seeded per batch, so that workers do not change what is drawn."""

    def __init__(self, images: ImageSet, places: Sequence[_Place], transform: Any) -> None:
        self.images, self.places, self.transform = images, places, transform

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Batch:
        if index >= len(self.places):
            raise IndexError(index)
        place = self.places[index]
        if get_worker_info() is not None:
            torch.set_num_threads(1)
        with seeded(place.seed):
            images = self.transform(self.images.take(place.indices))
        return images, self.images.labels[place.indices]

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))


def _as_it_is(batch: Any) -> Any:
    return batch


class _EachImage:
    """Random transforms draw once per call: each image of the batch [N, C, H, W] gets a call of its own."""

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def __call__(self, images: Tensor) -> Tensor:
        return torch.stack([self.transform(image) for image in images])


def _plain_transform(data: Data, mirrored: bool) -> Any:
    from torchvision.transforms import v2

    flip = [v2.RandomHorizontalFlip(p=1.0)] if mirrored else []
    return v2.Compose([*flip, v2.ToDtype(torch.float32, scale=True), v2.Normalize(data.mean, data.std)])


def _transform(data: Data, augment: Augment, size: int | None) -> Any:
    from torchvision.transforms import v2

    random: list[Any] = []
    if augment.crop_padding:
        random.append(v2.RandomCrop(data.size, padding=augment.crop_padding))
    if augment.flip and data.mirrors:
        random.append(v2.RandomHorizontalFlip())
    if augment.randaugment is not None:
        random.append(v2.RandAugment(augment.randaugment.operations, augment.randaugment.magnitude))
    if augment.cutout:
        share = min(1.0, (augment.cutout / data.size) ** 2)
        random.append(v2.RandomErasing(p=1.0, scale=(share, share), ratio=(1.0, 1.0)))
    steps: list[Any] = [_EachImage(v2.Compose(random))] if random else []
    if size is not None and size != data.size:
        steps.append(v2.Resize([size, size], antialias=True))
    return v2.Compose([*steps, v2.ToDtype(torch.float32, scale=True), v2.Normalize(data.mean, data.std)])
