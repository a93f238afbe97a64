"""Parquet files that hold something else than images with labels are refused by file, row and column."""

import json
import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from search_server.nas.data.data_sets import load_data


def png(number: int) -> bytes:
    content = BytesIO()
    Image.new("RGB", (4, 4), (number, 0, 0)).save(content, "PNG")
    return content.getvalue()


IMAGES = [png(number) for number in range(20)]
LABELS = [number % 2 for number in range(20)]


def write(
    path: Path, images: Sequence[object] = IMAGES, labels: Sequence[object] = LABELS, names: object = None
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wrapped = [
        {"bytes": image, "path": None} if isinstance(image, bytes | None) else image for image in images
    ]
    info = json.dumps({"info": {"features": {"label": {"names": names}}}}).encode()
    table = pyarrow.table({"image": wrapped, "label": labels})
    parquet.write_table(table.replace_schema_metadata({"huggingface": info} if names else {}), path)


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_data(str(folder), 4)


def test_images_by_their_path_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "data" / "pictures").mkdir(parents=True)
    for number, content in enumerate(IMAGES):
        (tmp_path / "data" / "pictures" / f"{number}.png").write_bytes(content)
    paths: list[object] = [{"bytes": None, "path": f"pictures/{number}.png"} for number in range(20)]
    write(tmp_path / "data" / "train.parquet", paths)
    write(tmp_path / "data" / "test.parquet", paths)
    for folder in (tmp_path, tmp_path / "data"):
        data = load_data(str(folder), 4)
        assert data.test.images(range(20))[:, 0, 0, 0].tolist() == list(range(20))
    paths[7] = {"bytes": None, "path": "pictures/none.png"}
    write(tmp_path / "data" / "train.parquet", paths)
    refused(tmp_path, r"train\.parquet, row 7, column 'image': there is no file .*pictures/none\.png")


@pytest.mark.parametrize("way", ["absolute", "above", "link"])
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path: Path, way: str) -> None:
    (tmp_path / "secret.png").write_bytes(IMAGES[0])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link.png").symlink_to(tmp_path / "secret.png")
    name = {"absolute": str(tmp_path / "secret.png"), "above": "../secret.png", "link": "link.png"}[way]
    images: list[object] = [*IMAGES]
    images[4] = {"bytes": None, "path": name}
    write(tmp_path / "data" / "train.parquet", images)
    refused(
        tmp_path / "data", rf"row 4, column 'image': '{re.escape(name)}' leads out of the file's folder"
    )


def test_damaged_images_are_named_by_file_and_row(tmp_path: Path) -> None:
    write(tmp_path / "train-0.parquet")
    images: list[object] = [*IMAGES]
    images[3], images[5] = b"no image", IMAGES[5][:40]
    write(tmp_path / "train-1.parquet", images)
    refused(
        tmp_path,
        r"2 of 40 images cannot be read: .*train-1\.parquet, row 3: cannot identify image file; .*"
        r"train-1\.parquet, row 5: ",
    )


def test_missing_images_are_named(tmp_path: Path) -> None:
    images: list[object] = [*IMAGES]
    images[3] = None
    write(tmp_path / "train.parquet", images)
    refused(tmp_path, r"train\.parquet, row 3, column 'image': there is no image")


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([*LABELS[:-1], None], None, "row 19, column 'label': there is no label"),
        ([*map(float, LABELS[:-1]), float("nan")], None, "row 19, column 'label': there is no label"),
        ([[1, 0]] * 20, None, "row 0, column 'label': the label is [1, 0]; one number or one name"),
        ([{"id": 1}] * 20, None, "row 0, column 'label': the label is {'id': 1}"),
        (
            [1, 2] * 10,
            ["cat", "dog"],
            "row 1, column 'label': the label is 2, but the file names 2",
        ),
        ([0, -1] * 10, ["cat", "dog"], "row 1, column 'label': the label is -1, but the file names 2"),
    ],
)
def test_labels_that_are_none_are_named(
    tmp_path: Path, labels: list[object], names: object, message: str
) -> None:
    write(tmp_path / "train.parquet", labels=labels, names=names)
    refused(tmp_path, r"train\.parquet, " + re.escape(message))


@pytest.mark.parametrize("number", [0, 20])
def test_training_images_without_any_label_are_refused(tmp_path: Path, number: int) -> None:
    write(tmp_path / "train.parquet", IMAGES[:number], [-1] * number)
    refused(tmp_path, rf"none of the {number} images in .*train\.parquet has a label")


def test_rows_are_counted_in_their_own_file(tmp_path: Path) -> None:
    write(tmp_path / "train-0.parquet")
    write(tmp_path / "train-1.parquet", labels=[0, None, *LABELS[2:]])
    refused(tmp_path, r"train-1\.parquet, row 1, column 'label': there is no label")
    write(tmp_path / "train-1.parquet", labels=[str(label) for label in LABELS])
    refused(tmp_path, r"train-1\.parquet, row 0, column 'label': the label is '0', but the first one is 0")


@pytest.mark.parametrize("unlabelled", [-1, None])
@pytest.mark.parametrize("other", ["validation", "val", "valid"])
def test_where_test_has_no_labels_the_validation_is_the_test_split(
    tmp_path: Path, unlabelled: object, other: str
) -> None:
    write(tmp_path / "train.parquet", names=["cat", "dog"])
    write(tmp_path / "test.parquet", labels=pyarrow.array([unlabelled] * 20, pyarrow.int64()))
    write(tmp_path / f"{other}.parquet", IMAGES[:6], LABELS[:6])
    data = load_data(str(tmp_path), 4)
    assert data.test.labels_N.tolist() == [0, 1, 0, 1, 0, 1]
    assert data.notes == (
        "test.parquet is not read, since none of its 20 images has a label",
        f"{other}.parquet is the test split",
    )


def test_test_images_without_a_column_of_labels_are_not_read(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet")
    write(tmp_path / "test.parquet")
    table = parquet.read_table(tmp_path / "test.parquet")
    parquet.write_table(table.drop_columns(["label"]), tmp_path / "test.parquet")
    data = load_data(str(tmp_path), 4)
    assert len(data.test.labels_N) == 4
    assert data.notes[0] == "test.parquet is not read, since none of its 20 images has a label"


def test_where_no_part_has_labels_a_share_of_train_is_the_test_split(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet")
    write(tmp_path / "test.parquet", labels=[-1] * 20)
    data = load_data(str(tmp_path), 4)
    assert len(data.test.labels_N) == 4
    assert data.notes[-1] == "a fifth of the training images is the test split"


def test_a_test_label_that_training_lacks_is_named(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet")
    write(tmp_path / "test.parquet", labels=[*LABELS[:-1], 7])
    refused(tmp_path, r"test\.parquet, row 19, column 'label' has label 7, which the training images")


def test_a_description_of_another_kind_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet")
    table = parquet.read_table(tmp_path / "train.parquet")
    for content in (b"no json", b'{"info": []}', b'{"info": {"features": {"label": ["cat"]}}}'):
        parquet.write_table(
            table.replace_schema_metadata({"huggingface": content}), tmp_path / "train.parquet"
        )
        assert load_data(str(tmp_path), 4).test.class_names == ("0", "1")
