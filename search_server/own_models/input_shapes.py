"""Open sizes of a model's inputs -> the shapes that it is measured with. Pure."""

import math
from collections.abc import Sequence

from search_server.resources.models import ModelTensor
from shared.protocol.measurement import ModelInput

MAX_ELEMENTS = 1 << 27
"""Of one input: 1 GiB of the largest type."""


def input_shapes(
    tensors: Sequence[ModelTensor], asked: Sequence[ModelInput], batch: int
) -> tuple[ModelInput, ...]:
    """Return a shape for each input.

    An open size becomes 1, and the batch where it is an input's first one, unless a shape was asked for.

    Args:
        tensors: the model's inputs; a size that is None is open.
        asked: shapes by name of input.
        batch: images a run.

    Raises:
        ValueError: a shape is asked for that the model cannot have; the message says what it can.
    """
    shapes = {each.name: each.shape for each in asked}
    names = [tensor.name for tensor in tensors]
    strangers = sorted(shapes.keys() - set(names))
    if strangers or len(shapes) < len(asked):
        raise ValueError(
            f"the model's inputs are {', '.join(names) or 'none'}; a shape was asked for "
            f"{', '.join(strangers) or 'one of them twice'}"
        )
    has_open_front = any(tensor.shape[:1] == (None,) for tensor in tensors)
    if batch > 1 and not has_open_front:
        raise ValueError(
            f"batch {batch} needs an input whose first size is open, and the model has none; ask for "
            "batch 1, or export the model with an open batch"
        )
    return tuple(
        ModelInput(tensor.name, _checked(tensor, shapes.get(tensor.name, _usual(tensor, batch))))
        for tensor in tensors
    )


def _usual(tensor: ModelTensor, batch: int) -> tuple[int, ...]:
    return tuple(
        size if size is not None else batch if place == 0 else 1 for place, size in enumerate(tensor.shape)
    )


def _checked(tensor: ModelTensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    fits = len(shape) == len(tensor.shape) and all(
        size is None or size == asked for size, asked in zip(tensor.shape, shape, strict=True)
    )
    if not fits:
        wanted = "x".join("?" if size is None else str(size) for size in tensor.shape) or "scalar"
        raise ValueError(
            f"input {tensor.name} has the shape {wanted}, where ? is open; asked for "
            f"{'x'.join(map(str, shape)) or 'scalar'}"
        )
    if math.prod(shape) > MAX_ELEMENTS:
        raise ValueError(f"input {tensor.name} has {math.prod(shape):,} numbers, at most {MAX_ELEMENTS:,}")
    return shape
