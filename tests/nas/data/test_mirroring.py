"""Training mirrors images unless left and right tell the classes apart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from search_server.nas.data.batches import Augmentation, training_batches
from search_server.nas.data.data_sets import load_data


def make_arrows(folder: Path, num_images: int = 8, mode: str = "RGB") -> None:
    """Class left is class right mirrored, pixel for pixel."""
    for index in range(num_images):
        pixels_HW3 = np.random.default_rng(index).integers(0, 256, (8, 8, 3), np.uint8)
        for name, shown in (("right", pixels_HW3), ("left", pixels_HW3[:, ::-1])):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(shown.copy()).convert(mode).save(folder / name / f"{index}.png")


def make_blots(folder: Path, num_images: int = 8, mode: str = "RGB") -> None:
    for label, name in enumerate(("a", "b")):
        (folder / name).mkdir(parents=True)
        for index in range(num_images):
            pixels = np.random.default_rng([label, index]).integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).convert(mode).save(folder / name / f"{index}.png")


def make_noisy_signs(folder: Path, shapes: dict[str, Sequence[str]], num_images: int = 20) -> None:
    """Each class is a pattern of dark and light squares under noise that is as strong as its contrast."""
    for label, (name, rows) in enumerate(shapes.items()):
        (folder / name).mkdir(parents=True)
        pattern_HW = np.kron([[255.0 * (mark == "#") for mark in row] for row in rows], np.ones((4, 4)))
        for index in range(num_images):
            noise = np.random.default_rng([label, index]).normal(0, 100, (*pattern_HW.shape, 3))
            pixels = np.clip(pattern_HW[:, :, None] * 0.4 + 80 + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")


LEFT, RIGHT = (".#..", "####", ".#..", "...."), ("..#.", "####", "..#.", "....")
UP, CROSS = (".##.", "####", ".##.", ".##."), ("#..#", ".##.", ".##.", "#..#")


def augmentation(folder: Path, resolution: int = 8, mirror: bool | None = None) -> Augmentation:
    batches = training_batches(load_data(str(folder), resolution, mirror=mirror).weights, 4, 0)
    assert batches.augmentation is not None
    return batches.augmentation


def test_signs_that_are_mirrored_twins_are_not_mirrored_and_that_is_told(tmp_path: Path) -> None:
    make_arrows(tmp_path)
    assert not augmentation(tmp_path).mirror
    (note,) = load_data(str(tmp_path), 8).notes
    assert note.startswith("images are not mirrored, since 16 of 16 mirrored are images of another class")
    assert augmentation(tmp_path, mirror=True).mirror
    assert load_data(str(tmp_path), 8, mirror=True).notes == ()


def test_colour_images_are_mirrored_unless_asked_not_to(tmp_path: Path) -> None:
    make_blots(tmp_path)
    assert augmentation(tmp_path).mirror
    assert not augmentation(tmp_path, mirror=False).mirror


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_gray_images_are_mirrored_only_when_asked(tmp_path: Path, mode: str) -> None:
    make_blots(tmp_path, mode=mode)
    assert not augmentation(tmp_path).mirror
    assert augmentation(tmp_path, mirror=True).mirror
    assert load_data("digits", 8, mirror=True).weights.mirrors
    assert not load_data("digits", 8).weights.mirrors


def test_large_images_are_seen_in_parts_whether_mirrored_or_not(tmp_path: Path) -> None:
    make_blots(tmp_path / "colour")
    make_blots(tmp_path / "gray", mode="L")
    for mirror in (None, True, False):
        assert augmentation(tmp_path / "colour", 64, mirror).crops
        assert not augmentation(tmp_path / "gray", 64, mirror).crops


def test_images_of_one_colour_in_two_classes_are_no_signs(tmp_path: Path) -> None:
    make_blots(tmp_path)
    for name in ("a", "b"):
        for index in range(20):
            Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / name / f"plain{index}.png")
    assert augmentation(tmp_path).mirror


def test_mirrored_copies_in_the_same_class_are_no_signs(tmp_path: Path) -> None:
    make_blots(tmp_path)
    for path in list(tmp_path.glob("*/*.png")):
        with Image.open(path) as image:
            image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path.with_name(f"m{path.name}"))
    assert augmentation(tmp_path).mirror


def test_one_wrong_label_among_many_images_does_not_make_signs(tmp_path: Path) -> None:
    make_blots(tmp_path, num_images=120)
    with Image.open(tmp_path / "a" / "0.png") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "b" / "wrong.png")
    assert augmentation(tmp_path).mirror


def test_signs_under_noise_are_not_mirrored_and_that_is_told(tmp_path: Path) -> None:
    make_noisy_signs(tmp_path, {"up": UP, "left": LEFT, "right": RIGHT, "cross": CROSS})
    assert not augmentation(tmp_path, 16).mirror
    (note,) = load_data(str(tmp_path), 16).notes
    assert note.startswith("images are not mirrored, since classes left and right are each other's mirror")


@pytest.mark.parametrize("shapes", [{"up": UP, "cross": CROSS}, {"up": UP, "left": LEFT, "cross": CROSS}])
def test_signs_without_a_mirrored_class_are_mirrored(
    tmp_path: Path, shapes: dict[str, Sequence[str]]
) -> None:
    make_noisy_signs(tmp_path, shapes)
    assert augmentation(tmp_path, 16).mirror


def test_no_image_is_flipped_where_mirroring_is_off(tmp_path: Path) -> None:
    make_blots(tmp_path)
    images_NCHW = load_data(str(tmp_path), 8).weights.images([0, 1, 2, 3]).repeat(16, 1, 1, 1)
    generator = torch.Generator().manual_seed(0)
    shown_NCHW = Augmentation(shift=0.0, mirror=False)(images_NCHW, generator)
    assert torch.equal(shown_NCHW, images_NCHW)
    flipped_NCHW = Augmentation(shift=0.0, mirror=True)(images_NCHW, generator)
    is_flipped_N = (flipped_NCHW != images_NCHW).flatten(1).any(1)
    assert 0 < int(is_flipped_N.sum()) < 64
