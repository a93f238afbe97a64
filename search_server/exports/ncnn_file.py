"""A trained network for ncnn: a zip archive of network.param, network.bin and description.json."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from search_server.exports.description import Description
from search_server.exports.folded_division import weights_for_bytes
from search_server.model_files.folding import FoldedWeights
from search_server.model_files.ncnn_model import ncnn_param, ncnn_weights
from shared.workload import Workload

PARAM, WEIGHTS, ABOUT = "network.param", "network.bin", "description.json"
INPUT = (
    "blob images: RGB, one image of resolution x resolution, values 0..255; the graph normalises them; "
    "blob logits is the answer"
)


def ncnn_file(
    workload: Workload, weights: Mapping[str, NDArray[np.float32]], description: Description
) -> bytes:
    """Return the archive.

    Args:
        workload: the network.
        weights: of the trained network, one array per parameter as in ``FoldedWeights``.
        description: goes into the archive.

    Raises:
        ValueError: an array is missing or has another shape than its operator.
    """
    stored = FoldedWeights(weights_for_bytes(workload, weights))
    members: dict[str, str | bytes] = {
        PARAM: ncnn_param(workload),
        WEIGHTS: ncnn_weights(workload, stored),
        ABOUT: replace(description, input=INPUT).json(),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            # ZipInfo without a date: the same network gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()
