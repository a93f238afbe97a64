"""Keys and values that a person wrote in a file: JSON, TOML, or YAML where PyYAML is there."""

import json
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

ENDINGS = (".json", ".toml", ".yaml", ".yml")


def read_document(path: Path, what: str, example: str) -> dict[str, Any]:
    """Return the keys and values of a file.

    Args:
        path: the file; its ending says its format.
        what: what it holds, for messages: ``job``.
        example: a line of such a file, for messages.

    Raises:
        ValueError: the file cannot be read, has an unknown ending, or is not a table of keys.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot read the {what} file {path}: {error.strerror}") from None
    document = _parse(path, text, what)
    if not isinstance(document, dict):
        raise ValueError(f"the {what} file {path} must hold keys and values, such as {example}")
    return document


def _parse(path: Path, text: str, what: str) -> Any:
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(f"the {what} file {path} must end in .json, .toml or .yaml")
    try:
        if ending == ".json":
            return json.loads(text)
        if ending == ".toml":
            return tomllib.loads(text)
    except ValueError as error:
        raise ValueError(f"the {what} file {path} is not valid {ending[1:].upper()}: {error}") from None
    return _parse_yaml(path, text, what)


def _parse_yaml(path: Path, text: str, what: str) -> Any:
    try:
        yaml = import_module("yaml")
    except ModuleNotFoundError:
        raise ValueError(
            f"reading {path} needs PyYAML (pip install pyyaml); or write the {what} as .toml or .json"
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"the {what} file {path} is not valid YAML: {error}") from None
