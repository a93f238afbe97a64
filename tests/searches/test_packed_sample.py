"""What is wrong with IDX, CIFAR and parquet files is told when a search is submitted, not when it runs."""

import gzip
import re
import struct
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from search_server.searches.data_check import check_data


def idx(number: int, shape: tuple[int, ...], element_type: int = 8) -> bytes:
    head = struct.pack(f">HBB{len(shape)}I", 0, element_type, len(shape), *shape)
    return head + bytes(number)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (idx(160, (40, 2, 2)), idx(39, (39,)), "has 40 images, train-labels.* 39 labels"),
        (idx(160, (40, 2, 2), 0x0D), idx(40, (40,)), "no IDX file of uint8 in 3 dimensions.*00000d03"),
        (idx(480, (40, 2, 2, 3)), idx(40, (40,)), "it begins 00000804"),
        (b"", idx(40, (40,)), "it begins with nothing"),
        (idx(0, (0, 2, 2)), idx(0, (0,)), "images.* holds no images"),
        (idx(160, (40, 2, 2))[:10], idx(40, (40,)), "cannot read .*images.* as an IDX file"),
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_that_do_not_fit(
    tmp_path: Path, images: bytes, labels: bytes, message: str, ending: str
) -> None:
    for name, content in (("images-idx3", images), ("labels-idx1", labels)):
        stored = gzip.compress(content) if ending else content
        (tmp_path / f"train-{name}-ubyte{ending}").write_bytes(stored)
    with pytest.raises(ValueError, match=message):
        check_data(str(tmp_path))


def test_idx_files_that_are_called_gzipped_and_are_not(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(idx(160, (40, 2, 2)))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(idx(40, (40,)))
    with pytest.raises(ValueError, match=r"cannot read .*images.*Not a gzipped file.*; download it again"):
        check_data(str(tmp_path))


@pytest.mark.parametrize(("name", "record"), [("data_batch_1.bin", 3073), ("train.bin", 3074)])
def test_cifar_files_of_another_size(tmp_path: Path, name: str, record: int) -> None:
    (tmp_path / name).write_bytes(bytes(2 * record))
    check_data(str(tmp_path))
    (tmp_path / name).write_bytes(bytes(2 * record + 1))
    with pytest.raises(ValueError, match=f"no multiple of the {record} of a record of CIFAR"):
        check_data(str(tmp_path))


def png() -> bytes:
    content = BytesIO()
    Image.new("RGB", (4, 4)).save(content, "PNG")
    return content.getvalue()


def write(path: Path, images: list[bytes], **columns: Sequence[object]) -> None:
    wrapped = [{"bytes": image, "path": None} for image in images]
    parquet.write_table(pyarrow.table({"image": wrapped, **columns}), path)


def test_parquet_images_that_cannot_be_decoded(tmp_path: Path) -> None:
    images = [png(), png()[:40], b"", *[png()] * 5]
    write(tmp_path / "train.parquet", images, label=[0, 1] * 4)
    with pytest.raises(ValueError, match=r"row 1: .*; .*train\.parquet, row 2: it is empty; repair"):
        check_data(str(tmp_path))


def test_parquet_files_without_what_is_needed(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [png()] * 8, kind=[0, 1] * 4)
    named = re.escape("has columns image, kind; one of label, fine_label, labels is needed")
    with pytest.raises(ValueError, match=named):
        check_data(str(tmp_path))
    (tmp_path / "train.parquet").write_bytes(b"no parquet")
    with pytest.raises(ValueError, match=r"train\.parquet cannot be read as parquet"):
        check_data(str(tmp_path))


def test_parquet_labels_that_are_none(tmp_path: Path) -> None:
    images = [png()] * 8
    write(tmp_path / "train.parquet", images, label=[0, 1, None, 1, 0, None, 0, 1])
    with pytest.raises(ValueError, match="column 'label' has no label in 2 of 8 rows"):
        check_data(str(tmp_path))
    write(tmp_path / "train.parquet", images, label=[[1, 0]] * 8)
    with pytest.raises(ValueError, match=r"column 'label' holds list<.*>; one number or one name"):
        check_data(str(tmp_path))


def test_parquet_test_images_need_no_labels(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [png()] * 8, label=[0, 1] * 4)
    write(tmp_path / "test.parquet", [png()])
    check_data(str(tmp_path))
