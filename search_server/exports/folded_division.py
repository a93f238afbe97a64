"""Half of normalising an image lies in the first convolution: its kernels are divided, the mean is not.

A network takes ``(image / 255 - MEAN) / STD = (image - OFFSET) / DIVISOR``. The division is folded into the
first convolution. The offset has to be subtracted before it: folded into the bias, it would be wrong at the
borders, where the convolution pads with zeros.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from search_server.nas.data.normalisation import MEAN, STD
from shared.operators import Conv2d
from shared.workload import Workload

OFFSET, DIVISOR = 255 * MEAN, 255 * STD
"""Of images 0..255, alike for all channels."""


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
    first = next(segment for segment in workload.segments if segment.operators)
    name = f"{first.name}.0.weight"
    if not isinstance(first.operators[0], Conv2d) or name not in weights:
        raise ValueError(f"the network must begin with a convolution whose weights are called {name!r}")
    return {**weights, name: weights[name] / np.float32(DIVISOR)}
