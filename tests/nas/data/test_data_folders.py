"""Every kind of folder, made small: read, and accepted at submission by the same rules."""

import gzip
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from search_server.nas.data.batches import Augmentation, Batches, training_batches
from search_server.nas.data.crops import crop_box
from search_server.nas.data.data_sets import load_data
from search_server.nas.data.decode_image import EncodedImage, read_image
from search_server.nas.data.decoding import decode_sources, image_files
from search_server.nas.data.images import ImageFiles, ImagesInMemory, ImageSource
from search_server.searches.data_check import DATA_SETS, check_data

COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


def make_classes(folder: Path, num_images: int = 8) -> None:
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for index in range(num_images):
            Image.new("RGB", (12 + index, 10), colour).save(folder / name / f"{index}.png")


def write_idx(path: Path, array: np.ndarray) -> None:
    content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def make_idx(folder: Path, suffix: str = ".gz", first_label: int = 0) -> None:
    """Images whose every pixel is ten times the label."""
    folder.mkdir(exist_ok=True)
    for part, num_images in (("train", 24), ("t10k", 6)):
        labels = (np.arange(num_images) % 3 + first_label).astype(np.uint8)
        images = np.broadcast_to(10 * labels[:, None, None], (num_images, 28, 28)).astype(np.uint8)
        write_idx(folder / f"{part}-images-idx3-ubyte{suffix}", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte{suffix}", labels)


def make_cifar(folder: Path, num_classes: int = 10) -> None:
    """Images that are red as far as their label tells."""
    folder.mkdir(exist_ok=True)
    names = {10: ("data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"), 100: ("train.bin", "test.bin")}
    for name in names[num_classes]:
        labels = np.repeat(np.arange(num_classes), 6).astype(np.uint8)
        coarse = [labels // 5] if num_classes == 100 else []
        pixels = np.zeros((len(labels), 3, 1024), np.uint8)
        pixels[:, 0] = labels[:, None]
        records = np.concatenate(
            [*(c[:, None] for c in coarse), labels[:, None], pixels.reshape(-1, 3072)], 1
        )
        (folder / name).write_bytes(records.tobytes())


def total(*sources: ImageSource) -> int:
    return sum(len(source.labels_N) for source in sources)


def refused(folder: Path, message: str) -> None:
    """Both the check at submission and the reading refuse the folder, with the same message."""
    for check in (check_data, lambda name: load_data(name, 16)):
        with pytest.raises(ValueError, match=message):
            check(str(folder))


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    make_classes(tmp_path)
    check_data(str(tmp_path))
    data = load_data(str(tmp_path), 16)
    assert data.weights.class_names == ("blue", "green", "red")
    assert total(data.weights, data.theta, data.validation, data.test) == 24
    assert data.weights.mirrors
    for label, colour in enumerate(COLOURS.values()):
        image = data.test.images([data.test.labels_N.tolist().index(label)])[0]
        assert image.shape == (3, 16, 16)
        assert tuple(image[:, 8, 8].tolist()) == colour


@pytest.mark.parametrize("test_name", ["test", "val"])
def test_its_own_test_split_is_kept(tmp_path: Path, test_name: str) -> None:
    make_classes(tmp_path / "train")
    make_classes(tmp_path / test_name, num_images=2)
    check_data(str(tmp_path))
    data = load_data(str(tmp_path), 16)
    assert data.test.labels_N.tolist() == [0, 0, 1, 1, 2, 2]
    assert total(data.weights, data.theta, data.validation) == 24


def test_gray_images_are_not_mirrored(tmp_path: Path) -> None:
    for name in ("six", "nine"):
        (tmp_path / name).mkdir()
        for index in range(8):
            Image.new("L", (8, 8), 30 * index).save(tmp_path / name / f"{index}.png")
    assert not load_data(str(tmp_path), 8).weights.mirrors


def test_one_gray_image_decides_nothing(tmp_path: Path) -> None:
    make_classes(tmp_path)
    first = min(tmp_path.glob("*/*.png"))
    with Image.open(first) as image:
        image.convert("L").save(first)
    assert load_data(str(tmp_path), 16).weights.mirrors


def test_what_does_not_fit_in_memory_is_decoded_when_asked_for(tmp_path: Path) -> None:
    make_classes(tmp_path)
    files = sorted(tmp_path.glob("*/*.png"))
    labels_N = torch.arange(3).repeat_interleave(8)
    encoded = image_files(files, labels_N, tuple(COLOURS), 16)
    sources = [
        *decode_sources([encoded], 24 * 768),
        *decode_sources([encoded], 24 * 768 - 1),
    ]
    assert isinstance(sources[0], ImagesInMemory)
    assert isinstance(sources[1], ImageFiles)
    from_memory, from_files = (list(training_batches(source, 5, seed=1)) for source in sources)
    one_thread = list(Batches(sources[1], 5, 1, num_threads=1))
    assert len(from_memory) == len(one_thread) == 4
    for memory, decoded, alone in zip(from_memory, from_files, one_thread, strict=True):
        assert torch.equal(memory[0], decoded[0])
        assert torch.equal(memory[1], decoded[1])
        assert torch.equal(alone[1], decoded[1])
    part = sources[1].select([0, 23])
    assert part.labels_N.tolist() == [0, 2]
    assert part.images([1])[0, 0, 0, 0] == 255


def test_the_centre_of_a_wide_image_is_taken(tmp_path: Path) -> None:
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    content = (tmp_path / "wide.png").read_bytes()
    for file in (tmp_path / "wide.png", EncodedImage(content, "train.parquet", 0)):
        assert torch.equal(read_image(file, 10), torch.full((3, 10, 10), 200, dtype=torch.uint8))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files(tmp_path: Path, suffix: str) -> None:
    make_idx(tmp_path, suffix, first_label=1)
    check_data(str(tmp_path))
    data = load_data(str(tmp_path), 16)
    assert data.weights.class_names == ("1", "2", "3")
    assert total(data.weights, data.theta, data.validation) == 24
    assert data.test.labels_N.tolist() == [0, 1, 2, 0, 1, 2]
    assert torch.equal(data.test.images([2]), torch.full((1, 3, 16, 16), 30, dtype=torch.uint8))
    assert not data.weights.mirrors


def test_damaged_idx_files_are_named(tmp_path: Path) -> None:
    make_idx(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    damages: tuple[tuple[bytes, str], ...] = (
        (whole[:40], "cannot read .*train-images"),
        (b"<html>", "cannot read .*train-images"),
        (gzip.compress(gzip.decompress(whole)[:-1]), "should hold 18816 elements, it holds 18815"),
        (gzip.compress(struct.pack(">HBBI", 0, 8, 1, 0)), "no IDX file of uint8 in 3 dimensions"),
    )
    for content, message in damages:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load_data(str(tmp_path), 16)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    refused(tmp_path, "without its labels")


@pytest.mark.parametrize("num_classes", [10, 100])
def test_cifar_files(tmp_path: Path, num_classes: int) -> None:
    make_cifar(tmp_path, num_classes)
    names = [f"name{index}" for index in range(num_classes)]
    names_file = {10: "batches.meta.txt", 100: "fine_label_names.txt"}[num_classes]
    (tmp_path / names_file).write_text("\n".join(names) + "\n\n")
    check_data(str(tmp_path))
    data = load_data(str(tmp_path), 32)
    assert data.weights.class_names == tuple(names)
    num_train = 120 if num_classes == 10 else 600
    assert total(data.weights, data.theta, data.validation) == num_train
    assert total(data.test) == 6 * num_classes
    image, label = data.test.images([13])[0], int(data.test.labels_N[13])
    assert label == 2
    assert (image[0] == label).all()
    assert (image[1:] == 0).all()


def test_damaged_cifar_files_are_named(tmp_path: Path) -> None:
    make_cifar(tmp_path)
    (tmp_path / "data_batch_2.bin").write_bytes(b"\0" * 3072)
    with pytest.raises(ValueError, match=r"data_batch_2\.bin has 3072 bytes.*3073 of a record"):
        load_data(str(tmp_path), 32)
    (tmp_path / "data_batch_2.bin").write_bytes(b"\x0b" * 3073)
    with pytest.raises(ValueError, match=r"data_batch_2\.bin has labels of 10 and more"):
        load_data(str(tmp_path), 32)


def make_parquet(folder: Path) -> None:
    """As the hub writes them: ``img`` a struct of bytes and path, class names in the schema's metadata."""
    make_classes(folder / "pictures")
    pictures = sorted((folder / "pictures").glob("*/*.png"))
    (folder / "data").mkdir()
    for part, files in (("train", pictures), ("test", pictures[::8])):
        images = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
        labels = [list(COLOURS).index(file.parent.name) for file in files]
        names = b'{"info": {"features": {"label": {"names": ["blue", "green", "red"]}}}}'
        table = pyarrow.table({"img": images, "label": labels})
        path = folder / "data" / f"{part}-00000-of-00001.parquet"
        parquet.write_table(table.replace_schema_metadata({b"huggingface": names}), path)


def test_parquet_files(tmp_path: Path) -> None:
    make_parquet(tmp_path)
    check_data(str(tmp_path / "data"))
    data = load_data(str(tmp_path / "data"), 16)
    assert data.weights.class_names == tuple(COLOURS)
    assert data.test.labels_N.tolist() == [0, 1, 2]
    assert tuple(data.test.images([1])[0, :, 8, 8].tolist()) == COLOURS["green"]


def test_broken_parquet_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    path.write_bytes(b"PAR1 and nothing behind it")
    with pytest.raises(ValueError, match=r"train\.parquet cannot be read as parquet"):
        load_data(str(tmp_path), 16)
    parquet.write_table(pyarrow.table({"picture": [b""], "label": [0]}), path)
    with pytest.raises(ValueError, match=r"has columns picture, label; one of image, img is needed"):
        load_data(str(tmp_path), 16)


def touch(*names: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (touch("a.png"), "has 0 sub-folders, at least 2 are needed: data is a folder"),
        (touch("cat/1.png", "dog/notes.txt"), "sub-folders without images: dog"),
        (touch("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"), "train/ lacks: c"),
        (touch("data_batch_1", "test_batch"), "Python pickles.*cifar-10-binary"),
        (touch("default/part0.parquet"), "none named train"),
    ],
)
def test_other_folders_are_refused_alike(
    make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    make(tmp_path)
    refused(tmp_path, message)


def test_a_folder_that_is_not_there_is_refused_with_what_would_do(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", re.escape(str(tmp_path / "nowhere")) + ".*one sub-folder of images")
    assert "train-images-idx3-ubyte" in DATA_SETS[0].hint


def test_few_or_unreadable_images_are_refused_by_name(tmp_path: Path) -> None:
    make_classes(tmp_path, num_images=7)
    with pytest.raises(ValueError, match="class 'blue' has 7 images; at least 8"):
        load_data(str(tmp_path), 16)
    for content in (b"no image", (tmp_path / "blue" / "0.png").read_bytes()[:45]):
        (tmp_path / "green" / "3.png").write_bytes(content)
        with pytest.raises(ValueError, match=r"cannot read image .*green/3\.png"):
            load_data(str(tmp_path), 16)


def test_photographs_are_trained_on_in_random_parts(tmp_path: Path) -> None:
    """A folder at ImageNet's resolution: from memory and from files, the same epoch for the same seed."""
    numbers = np.random.default_rng(0)
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        for index in range(10):
            pixels = numbers.integers(0, 255, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    data = load_data(str(tmp_path), 224)
    first, again = (list(training_batches(data.training, 4, seed=0)) for _ in range(2))
    assert all(torch.equal(one[0], other[0]) for one, other in zip(first, again, strict=True))
    assert first[0][0].shape == (4, 3, 224, 224)
    files = sorted(tmp_path.glob("*/*.png"))
    lazy = image_files(files, torch.arange(20) % 2, ("left", "right"), 224)
    one, many = (Batches(lazy, 4, 0, augmentation=Augmentation(crops=True), num_threads=n) for n in (1, 4))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, many, strict=True))


@pytest.mark.parametrize("crop", [(0.0, 0.5, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0), (0.4, 0.1, 0.3, 0.9)])
def test_a_crop_lies_within_its_image(crop: tuple[float, ...]) -> None:
    left, top, right, bottom = crop_box(64, 48, crop)
    assert 0 <= left < right <= 64
    assert 0 <= top < bottom <= 48
    area = (right - left) * (bottom - top) / (64 * 48)
    assert area <= 0.08 + 0.92 * crop[0] + 0.02
    assert area >= 0.07


def test_some_classes_of_a_data_set(tmp_path: Path) -> None:
    make_classes(tmp_path)
    named = load_data(str(tmp_path), 16, class_names=("red", "blue"))
    assert named.weights.class_names == ("blue", "red")
    assert total(named.weights, named.theta, named.validation, named.test) == 16
    red = named.test.images([named.test.labels_N.tolist().index(1)])[0]
    assert tuple(red[:, 8, 8].tolist()) == COLOURS["red"]
    first, again, other = (load_data("digits", 8, seed, num_classes=4) for seed in (0, 0, 1))
    assert first.test.class_names == again.test.class_names != other.test.class_names
    assert torch.equal(first.test.labels_N, again.test.labels_N)
    assert set(first.weights.labels_N.tolist()) == {0, 1, 2, 3}
    with pytest.raises(ValueError, match="no class pink; its 3 classes are blue, green, red"):
        load_data(str(tmp_path), 16, class_names=("pink",))
    with pytest.raises(ValueError, match="num_classes is 4, but the data has 3 classes"):
        load_data(str(tmp_path), 16, num_classes=4)


def test_a_folder_by_the_library_of_the_hugging_face_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("datasets")
    make_classes(tmp_path / "pictures" / "train")
    make_classes(tmp_path / "pictures" / "test", num_images=2)
    name = f"hf:{tmp_path / 'pictures'}"
    check_data(name)
    data = load_data(name, 16)
    assert data.weights.class_names == ("blue", "green", "red")
    assert data.test.labels_N.tolist() == [0, 0, 1, 1, 2, 2]
    assert tuple(data.test.images([5])[0][:, 8, 8].tolist()) == COLOURS["red"]
    with pytest.raises(ValueError, match=r"cannot load data set '.*nowhere' of the Hugging Face hub"):
        load_data(f"hf:{tmp_path / 'nowhere'}", 16)
