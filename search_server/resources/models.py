"""Model files that people bring: what they are, as the server read it without running them."""

from dataclasses import dataclass
from typing import Literal

ModelFormat = Literal["onnx", "tflite"]

MAX_MODEL_BYTES = 512 << 20
PART_BYTES = 8 << 20
"""What a client sends at once; below the usual limit of a request's body."""


@dataclass(frozen=True, slots=True)
class ModelTensor:
    """An input or an output of a model."""

    name: str
    dtype: str
    """Such as ``float32``."""
    shape: tuple[int | None, ...]
    """None: the size is left open until the model is measured."""


@dataclass(frozen=True, slots=True)
class OperatorCount:
    """How often a model has an operator."""

    op_type: str
    """Such as ``Conv``; operators of another domain than ONNX's own have it in front."""
    count: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model file says of itself."""

    version: str
    """Of the format, such as ``IR 8, opset 17``."""
    producer: str
    inputs: tuple[ModelTensor, ...]
    outputs: tuple[ModelTensor, ...]
    dtype: str
    """``int8`` if weights or operators are quantised to 8 bits, else ``fp32``."""
    num_nodes: int
    num_params: int
    operators: tuple[OperatorCount, ...]
    """The most frequent first."""


@dataclass(frozen=True, slots=True)
class ModelUpload:
    """How much of a file the server has; the next part begins there."""

    sha256: str
    received_bytes: int
    is_stored: bool = False
    """A file of this hash has been checked and kept before: no part need be sent."""


@dataclass(frozen=True, slots=True)
class ModelCreate:
    """All parts of a file have been sent: check it, and keep it under a name."""

    name: str
    format: ModelFormat
    sha256: str
    """64 lower-case hex digits: of the whole file."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Model:
    """A model file that can be measured."""

    model_id: str
    name: str
    """Unique among the models that are not removed; commands take it in place of the id."""
    format: ModelFormat
    sha256: str
    size_bytes: int
    facts: ModelFacts
    created_at: str
