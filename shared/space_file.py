"""A search space of one's own from a file: what ``-s my_space.yaml`` reads.

    name: my-space
    resolution: 32
    classes: 10
    stem: {channels: 16, stride: 2}
    stages:
      - {channels: 24, layers: 1, stride: 1}
      - {channels: 32, layers: 3, stride: 2}
    head: 384
    candidates: [k3_e1, k5_e4, k7_e6_g2, skip]

The file is read where the command runs; what travels and is stored is the definition, see
``custom_space.py``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.custom_space import build_space
from shared.document import ENDINGS, read_document
from shared.macro_architecture import SearchSpace, Stage
from shared.search_space import search_space

_KEYS = ("name", "resolution", "classes", "stem", "stages", "head", "candidates")


def read_space(text: str) -> SearchSpace:
    """Return the space that a string names, or that the file at this path defines.

    Raises:
        ValueError: there is no such space or file, or the file is wrong; the message says where.
    """
    path = Path(text.removeprefix("file:"))
    if text.startswith("file:") or path.suffix.lower() in ENDINGS:
        document = read_document(path, "space", "resolution = 32")
        try:
            return space_of(document)
        except ValueError as error:
            raise ValueError(f"space file {path}: {error}") from None
    return search_space(text)


def space_of(document: Mapping[str, Any]) -> SearchSpace:
    """Return the space that the keys and values of a file define.

    Raises:
        ValueError: a key is missing or unknown, or a value has the wrong type or is out of range.
    """
    _require_keys("the top", document, _KEYS)
    stem = document["stem"]
    _require_keys("stem", stem, ("channels", "stride"))
    stages = document["stages"]
    if not isinstance(stages, list):
        raise ValueError(f"stages must be a list, got {stages!r}")
    candidates = document["candidates"]
    if not isinstance(candidates, list) or not all(isinstance(block, str) for block in candidates):
        raise ValueError(f"candidates must be a list of blocks such as k3_e6, got {candidates!r}")
    if not isinstance(document["name"], str):
        raise ValueError(f"name must be text, got {document['name']!r}")
    return build_space(
        document["name"],
        resolution=_whole("resolution", document["resolution"]),
        num_classes=_whole("classes", document["classes"]),
        stem_channels=_whole("stem: channels", stem["channels"]),
        stem_stride=_whole("stem: stride", stem["stride"]),
        stages=tuple(_stage(f"stages[{index}]", stage) for index, stage in enumerate(stages)),
        head_channels=_whole("head", document["head"]),
        candidates=tuple(candidates),
    )


def _stage(where: str, stage: Any) -> Stage:
    _require_keys(where, stage, ("channels", "layers", "stride"))
    values = (_whole(f"{where}: {key}", stage[key]) for key in ("channels", "layers", "stride"))
    return Stage(*values)


def _require_keys(where: str, value: Any, keys: tuple[str, ...]) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must have the keys {', '.join(keys)}, got {value!r}")
    missing = [key for key in keys if key not in value]
    unknown = sorted(str(key) for key in value if key not in keys)
    if missing or unknown:
        fault = f"misses {', '.join(missing)}" if missing else f"has unknown keys {', '.join(unknown)}"
        raise ValueError(f"{where} {fault}; the keys are {', '.join(keys)}")


def _whole(where: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{where} must be a whole number, got {value!r}")
    return value
