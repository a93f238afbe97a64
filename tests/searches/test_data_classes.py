"""The classes that submission counts are those that a search then loads."""

import gzip
import json
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


def test_classes_of_hub_data_are_those_that_this_machine_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Laid out as the library ``datasets`` keeps them."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for config, names in (("plain", ["cat", "dog"]), ("fine", ["cat", "dog", "emu"])):
        folder = tmp_path / "cache" / "Someone___tiny_pets" / config / "0.0.0" / "9f3a"
        folder.mkdir(parents=True)
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    assert find_classes("hf:Someone/TinyPets:plain") == ("cat", "dog")
    assert find_classes("hf:Someone/tiny_pets:fine") == ("cat", "dog", "emu")
    assert find_classes("hf:Someone/tiny_pets") is None  # two configurations, which differ
    assert find_classes("hf:Someone/other") is find_classes("hf:Someone/tiny_pets:/x") is None
    (tmp_path / "pets").mkdir()
    table = pyarrow.table({"image": [b""], "label": [1]})
    info = json.dumps({"info": {"features": {"label": {"names": ["cat", "dog", "emu"]}}}})
    parquet.write_table(
        table.replace_schema_metadata({"huggingface": info}), tmp_path / "pets" / "train.parquet"
    )
    assert find_classes(f"hf:{tmp_path / 'pets'}") == ("cat", "dog", "emu")


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
