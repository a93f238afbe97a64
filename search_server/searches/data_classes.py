"""The classes of a data set, as far as they can be told without decoding an image (and without torch)."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow
from pyarrow import compute, parquet

from search_server.resources.searches import SearchCreate
from search_server.searches.hub_classes import hub_classes
from search_server.searches.packed_sample import LABEL_COLUMNS
from shared.class_folders import class_name
from shared.image_folders import HUB_PREFIX, ImageFolder, find_image_folder, split_choice
from shared.search_space import SearchSpace


def check_classes(create: SearchCreate, space: SearchSpace) -> None:
    """Accept a request whose space tells as many classes apart as its data will have.

    Raises:
        ValueError: it does not, or the data lacks a class that is asked for.
    """
    known = find_classes(create.data)
    wanted = create.num_classes or len(set(create.class_names)) or None
    if known is not None:
        unknown = sorted(set(create.class_names) - set(known))
        if unknown:
            raise ValueError(
                f"the data has no class {', '.join(unknown[:5])}; its {len(known)} classes are "
                f"{', '.join(known[:10])}{', ...' if len(known) > 10 else ''}"
            )
        if wanted is not None and wanted > len(known):
            raise ValueError(f"num_classes is {wanted}, but the data has {len(known)} classes")
    num_classes = wanted or (None if known is None else len(known))
    if num_classes is not None and num_classes != space.num_classes:
        source = "the data has" if wanted is None else "the request asks for"
        raise ValueError(
            f"space {space.name!r} tells {space.num_classes} classes apart, {source} {num_classes}; "
            f"override it with 'classes={num_classes}'"
        )


def find_classes(data: str) -> tuple[str, ...] | None:
    """Return the names of the classes; None where only loading the data tells them.

    Raises:
        ValueError: a file of labels cannot be read.
    """
    if data == "digits":
        return tuple(map(str, range(10)))
    if data.startswith(HUB_PREFIX):
        return hub_classes(data.removeprefix(HUB_PREFIX))
    folder = find_image_folder(*split_choice(data))
    if folder.kind == "classes":
        return tuple(dict.fromkeys(map(class_name, folder.train)))
    if folder.kind == "idx":
        return tuple(map(str, sorted(set(_idx_labels(folder.train[1])))))
    if folder.kind == "cifar":
        return _cifar_names(folder)
    return _parquet_classes(folder.train)


def _idx_labels(path: Path) -> bytes:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"cannot read {path} as an IDX file: {error}; download it again") from error
    # Eight bytes of type and length stand before the labels.
    return content[8:]


def _cifar_names(folder: ImageFolder) -> tuple[str, ...]:
    is_100 = folder.train[0].name == "train.bin"
    path = folder.train[0].parent / ("fine_label_names.txt" if is_100 else "batches.meta.txt")
    names = tuple(path.read_text(encoding="utf-8").split()) if path.exists() else ()
    num_classes = 100 if is_100 else 10
    return names if len(names) == num_classes else tuple(map(str, range(num_classes)))


def _parquet_classes(paths: Sequence[Path]) -> tuple[str, ...] | None:
    """Return the labels in the files; None where the files or their columns are for loading to refuse."""
    labels: set[object] = set()
    for path in paths:
        try:
            columns = parquet.read_schema(path).names
            column = next(name for name in LABEL_COLUMNS if name in columns)
            labels |= set(compute.unique(parquet.read_table(path, columns=[column])[column]).to_pylist())
        except (pyarrow.ArrowException, OSError, StopIteration, TypeError):
            return None
    return tuple(sorted(map(str, labels)))
