"""The classes of a data set of the Hugging Face hub, as far as this machine's files tell them.

Read are the description that the library ``datasets`` keeps beside what it has downloaded, and folders that
it would read. The library itself, which takes seconds to load, is not needed, nor is the network.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from shared.class_folders import class_name
from shared.image_folders import find_image_folder


def hub_classes(spec: str) -> tuple[str, ...] | None:
    """Return the names of the classes; None where only loading the data tells them.

    Args:
        spec: what stands behind ``hf:``: a name or a folder, and a configuration behind a colon.
    """
    name, _, config = spec.partition(":")
    if Path(name).is_dir():
        return _folder_classes(Path(name))
    known = {_named(info.get("features")) for info in _cached_infos(name, config)}
    return known.pop() if len(known) == 1 else None


def _folder_classes(folder: Path) -> tuple[str, ...] | None:
    try:
        found = find_image_folder(folder)
    except ValueError:
        return None
    if found.kind == "classes" and not any(folder.rglob("metadata.*")):
        return tuple(dict.fromkeys(map(class_name, found.train)))
    if found.kind != "parquet":
        return None
    try:
        metadata = parquet.read_schema(found.train[0]).metadata or {}
        return _named(json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"])
    except (pyarrow.ArrowException, OSError, ValueError, LookupError, TypeError):
        return None


def _cached_infos(name: str, config: str) -> list[Mapping[str, Any]]:
    """Return the descriptions of a data set in the library's cache, one for each version of it."""
    infos: list[Mapping[str, Any]] = []
    for path in _cache().glob("*/*/*/*/dataset_info.json"):
        folder, its_config = path.parts[-5:-3]
        if _plain(folder) != _plain(name) or config not in ("", its_config):
            continue
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        infos += [info] if isinstance(info, dict) else []
    return infos


def _cache() -> Path:
    """Return where the library keeps data sets, by its own rules."""
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "huggingface"
    )
    return Path(os.environ.get("HF_DATASETS_CACHE") or Path(home, "datasets")).expanduser()


def _plain(name: str) -> str:
    """Return a name as it compares: the cache writes ``User/TinyImages`` as ``User___tiny_images``."""
    return name.replace("/", "").replace("_", "").lower()


def _named(features: object) -> tuple[str, ...] | None:
    """Return the names of the only column of classes; None where there are none or several."""
    columns = features.values() if isinstance(features, dict) else ()
    found = [column["names"] for column in columns if isinstance(column, dict) and "names" in column]
    if len(found) != 1 or not isinstance(found[0], list):
        return None
    return tuple(map(str, found[0]))
