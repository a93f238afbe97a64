"""A trained network as a LiteRT (TensorFlow Lite) file that takes images 0..255 and says what it is.

The description lies in a zip archive behind the model, the place that the format's documentation gives to
files that belong to a model: runtimes do not see it, and any zip program reads it.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from search_server.exports.description import Description
from search_server.exports.folded_division import weights_for_bytes
from search_server.model_files.tflite_model import tflite_network_bytes
from shared.workload import Workload

INPUT = (
    "float32 images (1, resolution, resolution, 3), channels last, values 0..255; the graph normalises them"
)


def tflite_file(
    workload: Workload, weights: Mapping[str, NDArray[np.float32]], description: Description
) -> bytes:
    """Return a network as LiteRT, with one signature ``network``.

    Its ``input`` is float32 ``(1, H, W, 3)``, 0..255; its ``output`` float32 ``(1, 1, 1, classes)``. Images
    are float32 because XNNPACK, which runs all the rest, has no cast from uint8.

    Args:
        workload: the network.
        weights: of the trained network; see ``tflite_bytes``.
        description: goes into ``description.json`` of the archive behind the model.

    Raises:
        ValueError: an array is missing or has another shape than its operator.
    """
    file = io.BytesIO(tflite_network_bytes(workload, weights_for_bytes(workload, weights)))
    with zipfile.ZipFile(file, "a") as archive:
        # ZipInfo without a date: the same network gives the same bytes.
        archive.writestr(zipfile.ZipInfo("description.json"), replace(description, input=INPUT).json())
    return file.getvalue()
