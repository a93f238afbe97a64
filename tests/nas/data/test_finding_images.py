"""Every image that lies in a folder is read, or what is not read is told."""

import gzip
import os
import struct
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search_server.nas.data.data_sets import load_data
from search_server.nas.data.images import DataSplits
from search_server.searches.data_check import check_data
from search_server.searches.data_classes import find_classes


def paint(*paths: Path) -> None:
    """Write images whose gray is the number in their name."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = int("".join(filter(str.isdigit, path.stem)) or 0)
        Image.new("RGB", (4, 4), (number, number, number)).save(path, "PNG")


def make_classes(folder: Path, names: tuple[str, ...] = ("a", "b"), num_images: int = 8) -> None:
    paint(*(folder / name / f"{index}.png" for name in names for index in range(num_images)))


def load(data: Path | str) -> DataSplits:
    check_data(str(data))
    return load_data(str(data), 4)


def num_training_images(data: DataSplits) -> int:
    return len(data.training.labels_N) + len(data.validation.labels_N)


def num_images(data: DataSplits) -> int:
    return num_training_images(data) + len(data.test.labels_N)


def test_images_below_a_class_folder_are_read_and_told(tmp_path: Path) -> None:
    make_classes(tmp_path)
    paint(*(tmp_path / "b" / "2024" / "may" / f"{index}.png" for index in range(3)))
    data = load(tmp_path)
    assert num_images(data) == 19
    assert data.notes == (
        f"3 of 19 images in {tmp_path.name}/ lie in folders below that of their class, and are read: "
        "b/2024/may/0.png, b/2024/may/1.png, b/2024/may/2.png",
    )


@pytest.mark.parametrize("suffix", [".jfif", ".JFIF", ".jpe", ".JPEG", ".pnm"])
def test_images_by_any_of_their_names(tmp_path: Path, suffix: str) -> None:
    make_classes(tmp_path)
    paint(tmp_path / "a" / f"9{suffix}")
    data = load(tmp_path)
    assert (num_images(data), data.notes) == (17, ())


def test_what_is_no_image_by_its_name_is_counted_and_named(tmp_path: Path) -> None:
    make_classes(tmp_path)
    for name in ("a/boxes.txt", "b/7.heic", "b/.8.png", "b/more/9.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (note,) = load(tmp_path).notes
    assert note.startswith(f"4 files in {tmp_path.name}/ are left out")
    assert note.endswith("a/boxes.txt, b/.8.png, b/7.heic, ...")


def test_images_beside_the_class_folders_are_told(tmp_path: Path) -> None:
    make_classes(tmp_path)
    paint(tmp_path / "1.png")
    data = load(tmp_path)
    assert num_images(data) == 16
    assert "1 images" in data.notes[0]
    assert "1.png" in data.notes[0]


def test_what_systems_put_into_folders_is_skipped(tmp_path: Path) -> None:
    make_classes(tmp_path)
    for name in ("a/._0.png", "a/Thumbs.db", "b/.DS_Store", "b/desktop.ini", "._a", "b/@eaDir/0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"no image")
    for name in ("__MACOSX/a", ".ipynb_checkpoints", "a/.ipynb_checkpoints"):
        paint(tmp_path / name / "._0.png", tmp_path / name / "1.png")
    data = load(tmp_path)
    assert (data.test.class_names, num_images(data), data.notes) == (("a", "b"), 16, ())


def test_folders_that_lead_back_to_themselves_end(tmp_path: Path) -> None:
    make_classes(tmp_path)
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "b" / "self").symlink_to(tmp_path / "b" / "self")
    data = load(tmp_path)
    assert num_images(data) == 16
    (note,) = data.notes
    assert "a/again, b/self, b/up" in note


def test_what_would_be_waited_for_is_left_out(tmp_path: Path) -> None:
    make_classes(tmp_path)
    os.mkfifo(tmp_path / "a" / "pipe.png")
    (tmp_path / "b" / "linked.png").symlink_to(tmp_path / "a" / "pipe.png")
    data = load(tmp_path)
    assert num_images(data) == 16
    assert any("b/linked.png" in note for note in data.notes)


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    """A file's name does not matter; a class is named by its folder, in files and over the network too."""
    make_classes(tmp_path, num_images=9)
    (tmp_path / "a" / "0.png").rename(os.fsdecode(os.fsencode(tmp_path / "a") + b"/\xff.png"))
    (tmp_path / "a" / "1.png").rename(os.fsdecode(os.fsencode(tmp_path / "a") + b"/\xff.txt"))
    data = load(tmp_path)
    assert num_images(data) == 17
    assert "a/\ufffd.txt" in data.notes[0]
    (tmp_path / "b").rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    with pytest.raises(ValueError, match="has a sub-folder whose name is no UTF-8, '\ufffd'; rename it"):
        check_data(str(tmp_path))


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").touch()
    for look in (check_data, load):
        with pytest.raises(ValueError, match=r"is a file.*, not a folder; unpack an archive"):
            look(str(tmp_path / "photos.zip"))


def test_linked_images_and_linked_classes_are_read(tmp_path: Path) -> None:
    make_classes(tmp_path / "pool", ("x", "y"))
    (tmp_path / "set" / "b").mkdir(parents=True)
    (tmp_path / "set" / "a").symlink_to(tmp_path / "pool" / "x")
    for index in range(8):
        (tmp_path / "set" / "b" / f"{index}.png").symlink_to(tmp_path / "pool" / "y" / f"{index}.png")
    assert num_images(load(tmp_path / "set")) == 16


@pytest.mark.parametrize("unlabelled", ["unknown", "images", "."])
def test_where_test_has_no_labels_val_is_the_test_split(tmp_path: Path, unlabelled: str) -> None:
    make_classes(tmp_path / "train")
    make_classes(tmp_path / "val", num_images=3)
    paint(tmp_path / "test" / unlabelled / "1.png")
    data = load(tmp_path)
    assert data.test.labels_N.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.notes[0].startswith("test/ is not read, since it has no sub-folder")
    assert data.notes[1] == "val/ is the test split"


def test_without_any_labelled_part_a_share_of_train_is_the_test_split(tmp_path: Path) -> None:
    make_classes(tmp_path / "train", num_images=10)
    paint(tmp_path / "test" / "unknown" / "1.png")
    data = load(tmp_path)
    assert len(data.test.labels_N) == 4
    assert "a fifth" in data.notes[-1]


def test_a_part_that_is_not_read_is_told(tmp_path: Path) -> None:
    make_classes(tmp_path / "train")
    make_classes(tmp_path / "test", num_images=2)
    make_classes(tmp_path / "val", num_images=3)
    data = load(tmp_path)
    assert len(data.test.labels_N) == 4
    assert data.notes == ("val/ not read, since test/ is the test split",)


def test_folders_named_as_parts_are_no_classes(tmp_path: Path) -> None:
    make_classes(tmp_path / "Training")
    make_classes(tmp_path / "Testing")
    with pytest.raises(ValueError, match="sub-folders Testing, Training, which name parts and not classes"):
        check_data(str(tmp_path))


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    make_classes(tmp_path, ("car", "train"))
    assert load(tmp_path).test.class_names == ("car", "train")


COMPOSED = unicodedata.normalize("NFC", "café")
APART = unicodedata.normalize("NFD", "café")


@pytest.mark.parametrize(("train", "test"), [(COMPOSED, APART), (APART, COMPOSED)])
def test_a_letter_written_in_two_ways_is_one_class(tmp_path: Path, train: str, test: str) -> None:
    make_classes(tmp_path / "train", ("bar", train))
    make_classes(tmp_path / "test", ("bar", test), num_images=2)
    data = load(tmp_path)
    assert data.test.class_names == ("bar", COMPOSED)
    assert data.test.labels_N.tolist() == [0, 0, 1, 1]
    assert load_data(str(tmp_path), 4, class_names=("bar", APART)).test.class_names == ("bar", COMPOSED)


def test_both_ways_in_one_part_are_one_class(tmp_path: Path) -> None:
    make_classes(tmp_path, ("bar", COMPOSED, APART))
    data = load(tmp_path)
    assert data.test.class_names == ("bar", COMPOSED)
    assert num_images(data) == 24


def make_tiny(folder: Path, classes: tuple[str, ...] = ("n01", "n02")) -> None:
    for name in classes:
        paint(*(folder / "train" / name / "images" / f"{name}_{index}.JPEG" for index in range(8)))
        (folder / "train" / name / f"{name}_boxes.txt").touch()
    paint(*(folder / "val" / "images" / f"val_{index}.JPEG" for index in range(4)))
    paint(folder / "test" / "images" / "test_0.JPEG")
    lines = [f"val_{index}.JPEG\t{classes[index % 2]}\t0\t0\t62\t62\n" for index in range(4)]
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))


def test_the_layout_of_tiny_imagenet(tmp_path: Path) -> None:
    make_tiny(tmp_path)
    data = load(tmp_path)
    assert num_training_images(data) == 16
    assert data.test.labels_N.tolist() == [0, 1, 0, 1]
    assert data.test.images([0, 1, 2, 3])[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert any(note.startswith("test/ is not read") for note in data.notes)
    assert any(note.startswith("2 files in train/ are left out") for note in data.notes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("val_0.JPEG\tn09\n", r"val_annotations\.txt, line 2: class 'n09' is none of the 2"),
        ("val_9.JPEG\tn01\n", r"line 2: there is no image .*val_9\.JPEG"),
        ("val_0.JPEG n01\n", "line 2: class '' is none"),
    ],
)
def test_annotations_that_fit_nothing_are_named(tmp_path: Path, line: str, message: str) -> None:
    make_tiny(tmp_path)
    path = tmp_path / "val" / "val_annotations.txt"
    path.write_text(path.read_text().splitlines(keepends=True)[0] + line)
    with pytest.raises(ValueError, match=message):
        load_data(str(tmp_path), 4)


def write_set(folder: Path, prefix: str, num_classes: int) -> None:
    for part, count in (("train", 12 * num_classes), ("test", 2 * num_classes)):
        labels = (np.arange(count) % num_classes).astype(np.uint8)
        images = np.zeros((count, 2, 2), np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / f"{prefix}{part}-{name}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes()))


def test_of_several_sets_of_idx_files_one_is_chosen(tmp_path: Path) -> None:
    write_set(tmp_path, "emnist-digits-", 3)
    write_set(tmp_path, "emnist-letters-", 5)
    with pytest.raises(ValueError, match=r"the sets emnist-digits, emnist-letters .* choose one with .*#"):
        check_data(str(tmp_path))
    for choice, num_classes in (("digits", 3), ("emnist-letters", 5)):
        data = load(f"{tmp_path}#{choice}")
        assert (data.num_classes, len(data.test.labels_N)) == (num_classes, 2 * num_classes)
    with pytest.raises(ValueError, match="the sets emnist-digits, emnist-letters"):
        check_data(f"{tmp_path}#balanced")
    make_classes(tmp_path / "other")
    with pytest.raises(ValueError, match=r"#digits names a set of IDX files, and folder .*other' has none"):
        check_data(f"{tmp_path / 'other'}#digits")


@pytest.mark.parametrize(("prefix", "is_emnist"), [("emnist-letters-", True), ("", False)])
def test_images_of_emnist_are_read_upright(tmp_path: Path, prefix: str, is_emnist: bool) -> None:
    """Its files hold images column by column: what is their first row is the left column of the image."""
    write_set(tmp_path, prefix, 3)
    for part, count in (("train", 36), ("test", 6)):
        images = np.zeros((count, 4, 4), np.uint8)
        images[:, 0] = 255
        content = struct.pack(">HBB3I", 0, 8, 3, *images.shape) + images.tobytes()
        (tmp_path / f"{prefix}{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    data = load(tmp_path)
    first_HW = data.test.images([0])[0, 0]
    assert (first_HW[:, 0] if is_emnist else first_HW[0]).tolist() == [255] * 4
    assert int(first_HW.count_nonzero()) == 4
    assert any("upright" in note for note in data.notes) is is_emnist


def test_a_folder_may_have_a_number_sign_in_its_name(tmp_path: Path) -> None:
    make_classes(tmp_path / "take#2")
    assert num_images(load(tmp_path / "take#2")) == 16
    write_set(tmp_path / "take#2", "", 3)
    assert load(tmp_path / "take#2").num_classes == 3


def test_what_macos_keeps_about_data_files_is_skipped(tmp_path: Path) -> None:
    write_set(tmp_path, "", 3)
    (tmp_path / "._train-images-idx3-ubyte.gz").write_bytes(b"no images")
    assert load(tmp_path).num_classes == 3


def test_a_gzipped_file_that_is_damaged_inside_is_named(tmp_path: Path) -> None:
    write_set(tmp_path, "", 3)
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[10:20] = b"\xff" * 10
    path.write_bytes(content)
    for check in (lambda name: load_data(name, 4), find_classes):
        with pytest.raises(ValueError, match=r"cannot read .*train-labels-idx1-ubyte\.gz as an IDX file"):
            check(str(tmp_path))
