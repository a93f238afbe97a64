"""A search request from a file (JSON, TOML, or YAML where PyYAML is there) and options on top of it."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from search_server.resources.searches import DeviceTarget, SearchCreate
from shared.document import read_document
from shared.protocol.device import Conditions
from shared.protocol.wire import from_dict, to_dict
from shared.space_file import read_space


def read_job_file(path: Path) -> dict[str, Any]:
    """Return the keys and values of a job file.

    Raises:
        ValueError: the file cannot be read, has an unknown ending, or is not a table of keys.
    """
    return read_document(path, "job", "target_ms = 5.0")


def search_request(
    document: Mapping[str, Any], options: Mapping[str, Any], conditions: Conditions | None
) -> SearchCreate:
    """Return the request of a job file with options on top; an option that is None was not given.

    Of the conditions, those that differ from the defaults count as given.

    Raises:
        ValueError: a key is unknown or missing, or a value is out of range.
    """
    _check_keys(document, SearchCreate, "the job file")
    in_file = document.get("conditions", {})
    _check_keys(in_file, Conditions, "conditions of the job file")
    for index, other in enumerate(document.get("also", ())):
        _check_keys(other, DeviceTarget, f"also[{index}] of the job file")
    merged = {**document, **{key: value for key, value in options.items() if value is not None}}
    if conditions is not None:
        defaults = to_dict(Conditions())
        changed = {key: value for key, value in to_dict(conditions).items() if value != defaults[key]}
        merged["conditions"] = {**in_file, **changed}
    for key in ("device", "space", "data"):
        if key not in merged:
            raise ValueError(f"a search needs --{key}, or {key} in the job file")
    return from_dict({**merged, "space": read_space(str(merged["space"])).name}, SearchCreate)


def _check_keys(
    document: Any, target: type[SearchCreate] | type[DeviceTarget] | type[Conditions], where: str
) -> None:
    # The fields that have to be given come first.
    names = [field.name for field in sorted(fields(target), key=lambda field: field.kw_only is True)]
    if not isinstance(document, Mapping):
        raise ValueError(f"{where} must be keys and values, got {document!r}")
    unknown = sorted(set(document) - set(names))
    if unknown:
        raise ValueError(f"{where}: unknown key {', '.join(unknown)}; the keys are {', '.join(names)}")
