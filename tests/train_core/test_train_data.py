"""Data sets: what is split, drawn and normalized, and every way of files being wrong."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from energysim.errors import NotFoundError, UnavailableError
from energysim.train.data import Data, open_data
from energysim.train.images import DataError
from energysim.train.randomness import seed_of
from energysim.train.recipe import Augment, RandAugmentSpec


@pytest.fixture(scope="module")
def digits() -> Data:
    return open_data("digits")


def test_digits_are_split_by_seed_and_tested_on_the_same_images(digits: Data) -> None:
    assert (len(digits.train), len(digits.validation), len(digits.test)) == (1293, 144, 360)
    assert digits.image_shape == (3, 32, 32) and digits.classes == tuple("0123456789")
    parts = (digits.train.indices, digits.validation.indices)
    assert sorted(torch.cat(parts).tolist()) == list(range(1437))
    other = open_data("digits", seed=1)
    assert set(other.validation.indices.tolist()) != set(digits.validation.indices.tolist())
    again = next(iter(open_data("digits", seed=1).batches("test", 360)))
    assert torch.equal(next(iter(digits.batches("test", 360)))[0], again[0])


def test_digits_are_scikit_learns(digits: Data) -> None:
    """All 1,797 images, each once; an enlarged image's mean is the small one's."""
    from sklearn.datasets import load_digits

    small = load_digits()
    labels = torch.cat([digits.train.labels, digits.validation.labels, digits.test.labels])
    assert torch.equal(labels.bincount(), torch.from_numpy(small.target).bincount())
    images = [part.images.take(part.indices) for part in (digits.train, digits.validation, digits.test)]
    means = torch.cat(images).double().mean(dim=(1, 2, 3)).sort().values / 255 * 16
    expected = torch.from_numpy(small.images).mean(dim=(1, 2)).sort().values
    assert torch.allclose(means, expected, atol=0.15)


def test_training_images_are_normalized(digits: Data) -> None:
    images = torch.cat([images for images, _ in digits.batches("train", 256)])
    assert images.mean(dim=(0, 2, 3)).abs().max() < 0.02
    assert (images.std(dim=(0, 2, 3)) - 1).abs().max() < 0.02


AUGMENT = Augment(crop_padding=4, flip=True, randaugment=RandAugmentSpec(), cutout=8)


def test_a_batch_depends_on_its_place_alone(digits: Data) -> None:
    """Begun in the middle, or loaded by other processes, an epoch's batches are the same."""
    whole = list(digits.training_batches(256, 0, 3, augment=AUGMENT))
    assert len(whole) == digits.steps(256) == 6
    late = list(digits.training_batches(256, 0, 3, augment=AUGMENT, start=4))
    for (images, labels), (others, other_labels) in zip(whole[4:], late, strict=True):
        assert torch.equal(images, others) and torch.equal(labels, other_labels)
    apart = open_data("digits", workers=2).limited(300).training_batches(256, 0, 3, augment=AUGMENT)
    here = open_data("digits").limited(300).training_batches(256, 0, 3, augment=AUGMENT)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(apart, here, strict=True))


def test_epochs_and_seeds_differ(digits: Data) -> None:
    first = next(iter(digits.training_batches(64, 0, 0, augment=AUGMENT)))[0]
    for seed, epoch in ((0, 1), (1, 0)):
        assert not torch.equal(first, next(iter(digits.training_batches(64, seed, epoch, augment=AUGMENT)))[0])


def test_an_epoch_holds_every_image_once_over_all_processes(digits: Data) -> None:
    labels = [labels for rank in range(2) for _, labels in digits.training_batches(128, 0, 0, rank=rank, world=2)]
    assert torch.equal(torch.cat(labels).bincount(), digits.train.labels.bincount())


def test_augmentation_leaves_the_global_generator_alone(digits: Data) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    next(iter(digits.training_batches(16, 0, 0, augment=AUGMENT)))
    assert torch.equal(torch.rand(3), expected)


def test_digits_are_never_mirrored(digits: Data) -> None:
    flipped = next(iter(digits.training_batches(64, 0, 0, augment=Augment(flip=True))))[0]
    assert torch.equal(flipped, next(iter(digits.training_batches(64, 0, 0)))[0])
    synthetic = open_data("synthetic")
    mirrored = next(iter(synthetic.training_batches(64, 0, 0, augment=Augment(flip=True))))[0]
    plain = next(iter(synthetic.training_batches(64, 0, 0)))[0]
    same = [torch.equal(a, b) for a, b in zip(mirrored, plain, strict=True)]
    turned = [torch.equal(a.flip(-1), b) for a, b in zip(mirrored, plain, strict=True)]
    assert all(a or b for a, b in zip(same, turned, strict=True)) and 16 < sum(turned) < 48


def test_a_lonely_last_image_is_left_out() -> None:
    data = open_data("synthetic").limited(65)
    assert data.steps(64) == 1 and data.steps(63) == 2 and data.steps(61, world=2) == 2


def test_seeds_of_places_differ() -> None:
    places = [("a", 0), ("a", 1), ("b", 0), (0, "a"), (1, 0), (0, 1)]
    assert len({seed_of(*place) for place in places}) == len(places)


# -- CIFAR, in its own format


def cifar_files(root: Path, count: int = 40, classes: int = 100) -> Path:
    folder = root / "cifar-100-python"
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    for name in ("train", "test"):
        content = {
            "data": draw.integers(0, 256, (count, 3072), dtype=np.uint8),
            "fine_labels": draw.integers(0, classes, count).tolist(),
        }
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    names = {"fine_label_names": [f"class {index}" for index in range(classes)]}
    (folder / "meta").write_bytes(pickle.dumps(names, protocol=2))
    return folder


def testcifar_files_are_read_in_their_own_format(tmp_path: Path) -> None:
    folder = cifar_files(tmp_path)
    data = open_data("cifar100", tmp_path, verified=False)
    assert (data.num_classes, len(data.train), len(data.validation), len(data.test)) == (100, 36, 4, 40)
    assert data.mean == (0.5071, 0.4867, 0.4408) and data.std == (0.2675, 0.2565, 0.2761)
    raw = pickle.loads((folder / "test").read_bytes())
    assert data.test.labels.tolist() == raw["fine_labels"]
    image = data.test.images.take(torch.tensor([7]))[0]
    assert image.flatten().tolist() == raw["data"][7].tolist()  # red plane, green plane, blue plane, row by row


def testcifar_files_of_ones_own_need_a_word(tmp_path: Path) -> None:
    cifar_files(tmp_path)
    with pytest.raises(DataError, match=r"train: the file's checksum is not the published one .*--unverified"):
        open_data("cifar100", tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "test").unlink(), "lacks this file"),
        (lambda folder: (folder / "train").write_bytes(b"\x80\x02}q\x00"), "no file of this data set"),
        (lambda folder: (folder / "train").write_bytes(pickle.dumps({"data": [1, 2]})), "rows of 3072 bytes"),
        (lambda folder: (folder / "meta").write_bytes(pickle.dumps({})), "no list 'fine_label_names'"),
        (
            lambda folder: (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": ["one"]})),
            "'fine_labels' is no list of 40 classes from 0 to 0",
        ),
    ],
)
def test_damagedcifar_files_are_named(tmp_path: Path, damage: Any, message: str) -> None:
    damage(cifar_files(tmp_path))
    with pytest.raises(DataError, match=message):
        open_data("cifar100", tmp_path, verified=False)


class _Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("should_not_exist",))


def test_a_cifar_file_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (cifar_files(tmp_path) / "train").write_bytes(pickle.dumps({"data": _Hostile()}))
    with pytest.raises(DataError, match=r"it names \w+\.mkdir"):
        open_data("cifar100", tmp_path, verified=False)
    assert not (tmp_path / "should_not_exist").exists()


def test_no_network_says_what_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(UnavailableError, match=r"cannot be downloaded.*put cifar-10-python\.tar\.gz or"):
        open_data("cifar10", tmp_path / "new")


# -- folders of images


def _image(file: Path, colour: tuple[int, int, int], size: tuple[int, int] = (40, 24)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(file)


def _folder(root: Path, parts: tuple[str, ...] = ("",), count: int = 15) -> Path:
    for part in parts:
        for name, colour in (("blue", (0, 0, 255)), ("red", (255, 0, 0))):
            for index in range(count):
                _image(root / part / name / f"{index}.png", colour)
    return root


def test_a_folder_is_split_in_three(tmp_path: Path) -> None:
    data = open_data(f"imagefolder:{_folder(tmp_path)}", image_size=16)
    assert data.classes == ("blue", "red")
    assert (len(data.train), len(data.validation), len(data.test)) == (24, 3, 3)
    images, labels = next(iter(data.batches("test", 3)))
    assert images.shape == (3, 3, 16, 16)
    assert [int(pixel[2] > pixel[0]) for pixel in images[:, :, 8, 8]] == [int(label == 0) for label in labels]


def test_a_folders_own_parts_are_kept(tmp_path: Path) -> None:
    with_both = open_data(f"imagefolder:{_folder(tmp_path / 'a', ('train', 'val', 'test'))}", image_size=16)
    assert (len(with_both.train), len(with_both.validation), len(with_both.test)) == (30, 30, 30)
    with_val = open_data(f"imagefolder:{_folder(tmp_path / 'b', ('train', 'val'))}", image_size=16)
    assert (len(with_val.train), len(with_val.validation), len(with_val.test)) == (27, 3, 30)


def test_wrong_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no folder"):
        open_data(f"imagefolder:{tmp_path / 'missing'}")
    _image(tmp_path / "one" / "cat" / "1.png", (0, 0, 0))
    with pytest.raises(DataError, match="1 folders of images"):
        open_data(f"imagefolder:{tmp_path / 'one'}")
    with pytest.raises(DataError, match="has test but no train"):
        open_data(f"imagefolder:{_folder(tmp_path / 'two', ('test',))}")
    root = _folder(tmp_path / "three", ("train", "test"))
    _image(root / "test" / "green" / "1.png", (0, 255, 0))
    with pytest.raises(DataError, match="classes that the training part lacks: green"):
        open_data(f"imagefolder:{root}")
    broken = _folder(tmp_path / "four")
    for file in broken.rglob("*.png"):
        file.write_bytes(b"no image")
    data = open_data(f"imagefolder:{broken}", image_size=16)
    with pytest.raises(DataError, match=r"\.png: no readable image"):
        next(iter(data.batches("test", 3)))


def test_unknown_data_sets_are_named() -> None:
    with pytest.raises(NotFoundError, match=r"no data set named 'cifar1O' \(did you mean 'cifar10'"):
        open_data("cifar1O")
