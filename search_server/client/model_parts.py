"""A model file as it is sent: its hash, and the parts that the server lacks."""

import hashlib
from pathlib import Path
from typing import get_args

from search_server.resources.models import (
    MAX_MODEL_BYTES,
    PART_BYTES,
    ModelCreate,
    ModelFormat,
    ModelUpload,
)


def read_model(path: Path, name: str | None) -> tuple[bytes, ModelCreate]:
    """Return the bytes of a model file and what is said of it.

    Raises:
        ValueError: the name of the file ends otherwise than a model's, or the file is too large.
        OSError: the file cannot be read.
    """
    formats: tuple[ModelFormat, ...] = get_args(ModelFormat)
    model_format = next((known for known in formats if path.suffix.lower() == f".{known}"), None)
    if model_format is None:
        raise ValueError(
            f"the name of {path} must end with {' or '.join(f'.{known}' for known in formats)}"
        )
    size_bytes = path.stat().st_size
    if not 1 <= size_bytes <= MAX_MODEL_BYTES:
        raise ValueError(f"{path} has {size_bytes:,} bytes; a model file has 1 to {MAX_MODEL_BYTES:,}")
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    return content, ModelCreate(name or path.stem, model_format, sha256, size_bytes)


def part_offsets(upload: ModelUpload, create: ModelCreate) -> range:
    """Return where the parts begin that the server lacks."""
    return range(0) if upload.is_stored else range(upload.received_bytes, create.size_bytes, PART_BYTES)
