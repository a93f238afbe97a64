"""The half of normalising images that lies in the weights: the first convolution's kernels are divided."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.normalisation import DIVISOR
from shared.operators import Conv2d
from shared.workload import Workload


def weights_for_bytes(
    workload: Workload, weights: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Return the weights with those of the first convolution divided: it takes ``image - OFFSET``.

    Args:
        workload: the network; it begins with a convolution.
        weights: trained on images that were normalised with ``MEAN`` and ``STD``.

    Raises:
        ValueError: the network begins with something else, or has no weights of its first convolution.
    """
    first = workload.first_segment
    name = f"{first.name}.0.weight"
    if not isinstance(first.operators[0], Conv2d) or name not in weights:
        raise ValueError(f"the network must begin with a convolution whose weights are called {name!r}")
    return {**weights, name: weights[name] / np.float32(DIVISOR)}
