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

What may stand there besides: ``activation`` of stem and head (relu, relu6, hswish); in ``stem`` a list
``then`` of convolutions {channels, kernel, stride}; in a stage ``squeeze: true``, ``activation`` and
``inner: [48, 96]``, numbers of channels that the insides of candidates ``k3_c1`` and ``k3_c2`` take; in
``head``, written {channels, features, norm}, the layer behind pooling and whether it has a batch norm.

The file is read where the command runs; what travels and is stored is the definition, see
``custom_space.py``.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from shared.custom_space import known_activation, named_by_definition
from shared.document import ENDINGS, read_document
from shared.macro_architecture import SearchSpace, Stage, StemConv
from shared.search_space import search_space
from shared.traits import ActivationName, Traits

T = TypeVar("T")

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
    _require_keys("the top", document, _KEYS, ("activation",))
    stem, head, stages, candidates = (document[key] for key in ("stem", "head", "stages", "candidates"))
    if not isinstance(document["name"], str):
        raise ValueError(f"name must be text, got {document['name']!r}")
    if not isinstance(candidates, list) or not all(isinstance(block, str) for block in candidates):
        raise ValueError(f"candidates must be a list of blocks such as k3_e6, got {candidates!r}")
    _require_keys("stem", stem, ("channels", "stride"), ("then",))
    head = head if isinstance(head, Mapping) else {"channels": head}
    _require_keys("head", head, ("channels",), ("features", "norm"))
    return named_by_definition(
        SearchSpace(
            document["name"],
            resolution=_whole("resolution", document["resolution"]),
            stem_channels=_whole("stem: channels", stem["channels"]),
            stem_stride=_whole("stem: stride", stem["stride"]),
            stages=_each("stages", stages, _stage),
            head_channels=_whole("head", head["channels"]),
            num_classes=_whole("classes", document["classes"]),
            candidates=tuple(candidates),
            stem_tail=_each("stem: then", stem.get("then", []), _stem_conv),
            head_features=_whole("head: features", head.get("features", 0)),
            has_head_norm=_switch("head: norm", head),
            activation=_activation("activation", document),
        )
    )


def _each(where: str, values: Any, read: Callable[[str, Any], T]) -> tuple[T, ...]:
    if not isinstance(values, list):
        raise ValueError(f"{where} must be a list, got {values!r}")
    return tuple(read(f"{where}[{index}]", value) for index, value in enumerate(values))


def _stem_conv(where: str, conv: Any) -> StemConv:
    keys = ("channels", "kernel", "stride")
    _require_keys(where, conv, keys)
    return StemConv(*(_whole(f"{where}: {key}", conv[key]) for key in keys))


def _stage(where: str, stage: Any) -> Stage:
    keys = ("channels", "layers", "stride")
    _require_keys(where, stage, keys, ("squeeze", "activation", "inner"))
    channels, layers, stride = (_whole(f"{where}: {key}", stage[key]) for key in keys)
    traits = Traits(
        _switch(f"{where}: squeeze", stage),
        _activation(f"{where}: activation", stage),
        _each(f"{where}: inner", stage.get("inner", []), _whole),
    )
    return Stage(channels, layers, stride, traits)


def _switch(where: str, holder: Mapping[str, Any]) -> bool:
    value = holder.get(where.rpartition(": ")[2], False)
    if not isinstance(value, bool):
        raise ValueError(f"{where} must be true or false, got {value!r}")
    return value


def _activation(where: str, holder: Mapping[str, Any]) -> ActivationName:
    try:
        return known_activation(holder.get("activation", "relu"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from None


def _require_keys(where: str, value: Any, keys: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must have the keys {', '.join(keys)}, got {value!r}")
    missing = [key for key in keys if key not in value]
    unknown = sorted(str(key) for key in value if key not in (*keys, *optional))
    if missing or unknown:
        fault = f"misses {', '.join(missing)}" if missing else f"has unknown keys {', '.join(unknown)}"
        more = f", and if need be {', '.join(optional)}" if optional else ""
        raise ValueError(f"{where} {fault}; the keys are {', '.join(keys)}{more}")


def _whole(where: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{where} must be a whole number, got {value!r}")
    return value
