"""What a file that somebody brought is fed with: random numbers, and zeros where they may be indices."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from profiler_agent.runtimes.base import UnsupportedWorkloadError
from shared.protocol.measurement import LeaseItem

Array = NDArray[np.generic]


def input_arrays(item: LeaseItem, dtypes: Mapping[str, str]) -> dict[str, Array]:
    """Return an array for each input of a model.

    Args:
        item: names a shape for each input.
        dtypes: numpy's name of each input's type.

    Raises:
        UnsupportedWorkloadError: the item names other inputs than the model has.
    """
    shapes = {each.name: each.shape for each in item.inputs}
    if shapes.keys() != dtypes.keys():
        raise UnsupportedWorkloadError(
            f"the file's inputs are {', '.join(sorted(dtypes)) or 'none'}, the lease gives shapes for "
            f"{', '.join(sorted(shapes)) or 'none'}"
        )
    generator = np.random.default_rng(0)
    return {name: _array(generator, shapes[name], np.dtype(dtype)) for name, dtype in dtypes.items()}


def _array(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    if dtype.kind != "f":
        return np.zeros(shape, dtype)  # an index of any other value may lie outside
    return generator.random(shape, dtype=np.float32).astype(dtype)
