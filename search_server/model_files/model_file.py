"""Which model file a runtime loads, and who writes it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from search_server.model_files.executorch_model import pte_bytes
from search_server.model_files.folding import Array, FoldedWeights
from search_server.model_files.ncnn_model import ncnn_param, ncnn_weights
from search_server.model_files.onnx_model import onnx_bytes
from search_server.model_files.tflite_model import tflite_bytes
from shared.protocol.device import Conditions
from shared.protocol.measurement import Artifact
from shared.runtimes import RUNTIMES, ArtifactFormat
from shared.workload import Workload


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file before it lies anywhere."""

    format: ArtifactFormat
    content: bytes
    weights: bytes | None = None
    """Of a trained network in the format ncnn, which keeps them in a ``.bin`` file of their own."""

    def write(self, folder: Path, name: str) -> Path:
        """Write the file, and its weights beside it as ``<name>.bin``; return the path of the file."""
        path = folder / f"{name}.{self.format}"
        path.write_bytes(self.content)
        if self.weights is not None:
            path.with_suffix(".bin").write_bytes(self.weights)
        return path

    def artifact(self) -> Artifact:
        """Return what a lease says of it."""
        return Artifact(hashlib.sha256(self.content).hexdigest(), len(self.content), self.format)


def model_file(
    workload: Workload, conditions: Conditions, weights: Mapping[str, Array] | None = None
) -> ModelFile | None:
    """Return the file that a runtime loads for a workload; None: it builds the network from the workload.

    Args:
        workload: the network.
        conditions: runtime, dtype and batch.
        weights: of a trained network, one array per parameter as in ``FoldedWeights``; None gives a file
            that is for timing only, and small.

    Raises:
        ValueError: an array is missing or has another shape than its operator, or weights came with int8.
    """
    batch, dtype = conditions.batch, conditions.dtype
    known = RUNTIMES.get(conditions.runtime)
    match known and known.model_format:
        case "onnx":
            # Open as in the delivered file: less is fused around a shuffle. Accelerators want it fixed.
            fixed = batch if conditions.accelerator else None
            return ModelFile("onnx", onnx_bytes(workload, weights, fixed, dtype))
        case "tflite":
            return ModelFile("tflite", tflite_bytes(workload, weights, batch, dtype))
        case "ncnn":
            stored = None if weights is None else ncnn_weights(workload, FoldedWeights(weights))
            return ModelFile("ncnn", ncnn_param(workload).encode(), stored)
        case "pte":
            return ModelFile("pte", pte_bytes(workload, weights, batch))
        case _:
            return None
