"""A look at the images of IDX, CIFAR and parquet files before a search is queued (without torch).

What headers and a few rows tell is told at submission; the rest when the data is loaded.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from search_server.searches.data_sample import why_unreadable
from shared.image_folders import ImageFolder

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label", "labels")
_NUM_ROWS = 10
_UINT8 = 8
_CIFAR_IMAGE_BYTES = 3 * 32 * 32


def check_packed(folder: ImageFolder) -> None:
    """Look at the files of a folder whose images do not lie in files of their own.

    Raises:
        ValueError: a file is damaged, does not go with its labels, or lacks a column; or one of the first
            images of a parquet file cannot be read. The message names the file, and the row.
    """
    if folder.kind == "idx":
        for pair in filter(None, (folder.train, folder.test)):
            _check_idx(*pair)
    elif folder.kind == "cifar":
        for path in (*folder.train, *folder.test):
            _check_cifar(path, 2 if folder.train[0].name == "train.bin" else 1)
    elif folder.kind == "parquet":
        for path in folder.train:
            _check_parquet(path, (IMAGE_COLUMNS, LABEL_COLUMNS))
        for path in folder.test:
            _check_parquet(path, (IMAGE_COLUMNS,))


def _check_idx(images: Path, labels: Path) -> None:
    (num_images, *_), (num_labels,) = _idx_shape(images, 3), _idx_shape(labels, 1)
    if not num_images:
        raise ValueError(f"{images} holds no images")
    if num_images != num_labels:
        raise ValueError(f"{images} has {num_images} images, {labels.name} {num_labels} labels")


def _idx_shape(path: Path, num_dimensions: int) -> tuple[int, ...]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            begin = file.read(4 + 4 * num_dimensions)
        if begin[:4] != bytes((0, 0, _UINT8, num_dimensions)):
            raise ValueError(
                f"{path} is no IDX file of uint8 in {num_dimensions} dimensions: it begins "
                f"{begin[:4].hex() or 'with nothing'}"
            )
        return struct.unpack_from(f">{num_dimensions}I", begin, 4)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise ValueError(f"cannot read {path} as an IDX file: {error}; download it again") from error


def _check_cifar(path: Path, num_label_bytes: int) -> None:
    size, record = path.stat().st_size, num_label_bytes + _CIFAR_IMAGE_BYTES
    if not size or size % record:
        raise ValueError(
            f"{path} has {size} bytes, which is no multiple of the {record} of a record of CIFAR; download "
            "it again"
        )


def _check_parquet(path: Path, needed: Sequence[Sequence[str]]) -> None:
    try:
        with parquet.ParquetFile(path) as file:
            image, *labels = (_column(path, file.schema_arrow.names, known) for known in needed)
            rows = next(file.iter_batches(_NUM_ROWS, columns=[image]), None)
            for label in labels:
                _check_labels(path, label, file.read([label])[label])
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read as parquet: {error}") from error
    if rows is None or not len(rows):
        raise ValueError(f"{path} holds no images")
    reasons = list(_unreadable_rows(path, rows.column(0).to_pylist()))
    if reasons:
        raise ValueError(f"{'; '.join(reasons)}; repair them or take them out")


def _check_labels(path: Path, name: str, labels: pyarrow.ChunkedArray) -> None:
    if pyarrow.types.is_nested(labels.type):
        raise ValueError(
            f"{path}, column {name!r} holds {labels.type}; one number or one name a row is needed"
        )
    if labels.null_count:
        raise ValueError(
            f"{path}, column {name!r} has no label in {labels.null_count} of {len(labels)} rows; take them "
            "out, or label them"
        )


def _column(path: Path, columns: Sequence[str], known: Sequence[str]) -> str:
    for name in known:
        if name in columns:
            return name
    raise ValueError(f"{path} has columns {', '.join(columns)}; one of {', '.join(known)} is needed")


def _unreadable_rows(path: Path, values: Sequence[Any]) -> Iterator[str]:
    """Yield a reason for each image whose bytes cannot be decoded; paths are for loading to look at."""
    for row, value in enumerate(values):
        content = value.get("bytes") if isinstance(value, dict) else value
        if isinstance(content, bytes) and (reason := why_unreadable(BytesIO(content))):
            yield f"{path}, row {row}: {reason}"
