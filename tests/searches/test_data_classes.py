"""The classes that submission counts are those that a search then loads."""

import gzip
import struct
from pathlib import Path

import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from search_server.searches.data_check import check_data
from search_server.searches.data_classes import find_classes
from search_server.searches.data_sample import check_sample


def test_classes_of_each_kind(tmp_path: Path) -> None:
    for kind in ("classes", "idx", "cifar", "parquet"):
        (tmp_path / kind).mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "classes" / name).mkdir()
        Image.new("RGB", (2, 2)).save(tmp_path / "classes" / name / "1.png")
    labels = struct.pack(">HBBI", 0, 8, 1, 5) + bytes([4, 2, 2, 9, 4])
    (tmp_path / "idx" / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    (tmp_path / "idx" / "train-images-idx3-ubyte.gz").touch()
    (tmp_path / "cifar" / "data_batch_1.bin").touch()
    for index, column in enumerate(([3, 1], [7, 3])):
        table = pyarrow.table({"image": [b"", b""], "label": column})
        parquet.write_table(table, tmp_path / "parquet" / f"train-{index}.parquet")
    assert find_classes(str(tmp_path / "classes")) == ("cat", "dog")
    assert find_classes(str(tmp_path / "idx")) == ("2", "4", "9")
    assert find_classes(str(tmp_path / "cifar")) == tuple("0123456789")
    assert find_classes(str(tmp_path / "parquet")) == ("1", "3", "7")
    assert find_classes("digits") == tuple("0123456789")
    assert find_classes("hf:some/set") is None


@pytest.mark.parametrize("data", ["rel/imgs", "./imgs", "../imgs", "imgs"])
def test_a_relative_path_is_refused(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imgs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"data path must be absolute on the server, got '{data}'"):
        check_data(data)
    with pytest.raises(ValueError, match="data path must be absolute on the server, got 'hf:imgs'"):
        check_data("hf:imgs")


def test_damaged_images_of_a_sample_are_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (2, 2)).save(tmp_path / name / "1.png")
    check_sample(sorted(tmp_path.iterdir()))
    (tmp_path / "a" / "1.png").write_bytes(b"")
    (tmp_path / "c" / "1.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"2 of 3 images .*a/1\.png: it is empty; .*c/1\.png: cannot"):
        check_sample(sorted(tmp_path.iterdir()))
