"""Which model file a runtime loads, and who writes it."""

import hashlib
from dataclasses import dataclass

from search_server.model_files.ncnn_model import ncnn_param
from search_server.model_files.onnx_model import onnx_bytes
from search_server.model_files.pte_model import pte_bytes
from search_server.model_files.tflite_model import tflite_bytes
from shared.protocol.device import Conditions
from shared.protocol.measurement import Artifact, ArtifactFormat
from shared.workload import Workload


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file before it lies anywhere."""

    format: ArtifactFormat
    content: bytes

    def artifact(self) -> Artifact:
        """Return what a lease says of it."""
        return Artifact(hashlib.sha256(self.content).hexdigest(), len(self.content), self.format)


def model_file(workload: Workload, conditions: Conditions) -> ModelFile | None:
    """Return the file with which a runtime times a workload; its weights are not trained.

    None means that the runtime builds the network from the workload itself.
    """
    match conditions.runtime:
        case "onnxruntime":
            return ModelFile("onnx", onnx_bytes(workload, batch=conditions.batch, dtype=conditions.dtype))
        case "litert":
            return ModelFile(
                "tflite", tflite_bytes(workload, batch=conditions.batch, dtype=conditions.dtype)
            )
        case "ncnn":
            return ModelFile("ncnn", ncnn_param(workload).encode())
        case "executorch":
            return ModelFile("pte", pte_bytes(workload, batch=conditions.batch))
        case _:
            return None
