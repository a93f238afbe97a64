"""The delivered network as files: written, run for their accuracy, measured on the devices."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from search_server.exports.description import Description
from search_server.exports.file_accuracy import file_accuracy
from search_server.exports.ncnn_file import ncnn_file
from search_server.exports.onnx_file import CALIBRATION_BATCH, onnx_file, quantised_onnx_file
from search_server.exports.python_file import python_file
from search_server.exports.tflite_file import tflite_file
from search_server.model_files.model_file import ModelFile
from search_server.model_files.ncnn_model import ncnn_param
from search_server.nas.data.images import DataSplits, ImageSource
from search_server.nas.network_weights import network_bytes, numpy_weights
from search_server.resources.found_networks import ExportedFile, FileLatency, FoundArchitecture
from search_server.searches.recording import record_architecture
from search_server.searches.search_job import SearchDevice, SearchJob
from search_server.searches.searches import description_name, export_name
from search_server.searches.stages import TRAINED
from search_server.searches.training import trained_network
from search_server.searches.verification import measure_file
from shared.architecture import Architecture, parse_architecture
from shared.protocol.wire import to_dict
from shared.runtimes import RUNTIMES, ArtifactFormat
from shared.workload import Workload

NUM_CALIBRATION_IMAGES = 256
EVALUATION_BATCH = 256


@dataclass(frozen=True, slots=True)
class _File:
    """A file before it was run."""

    format: ArtifactFormat
    dtype: str
    content: bytes
    model: ModelFile
    """What devices are given to measure."""

    @classmethod
    def whole(cls, file_format: ArtifactFormat, dtype: str, content: bytes) -> Self:
        """Return a file that devices measure as it is."""
        return cls(file_format, dtype, content, ModelFile(file_format, content))


def deliver(job: SearchJob, found: FoundArchitecture, data: DataSplits) -> FoundArchitecture:
    """Write the delivered network for ONNX, LiteRT, ncnn and torch, and say what each model file is worth.

    The accuracy of a file is found by running it, its latency by measuring it on each device whose runtime
    loads it.

    Raises:
        ValueError: a device gave no usable measurement of a file; int8 was asked for without ONNX Runtime.
        StoppedError: the worker is being stopped.
    """
    job.tell("export", TRAINED, "exporting")
    architecture = parse_architecture(found.architecture, job.space)
    module = trained_network(job, architecture)
    description = _description(job, found, data)
    job.store.write(export_name(job.job_id, "torch"), network_bytes(module))
    text = python_file(architecture.workload(), description)
    job.store.write(export_name(job.job_id, "python"), text.encode())
    written = _written(job, architecture.workload(), numpy_weights(module), description, data)
    files = tuple(_delivered(job, architecture, file, data) for file in written)
    delivered = replace(found, files=files)
    known = {**to_dict(delivered), "description": asdict(description)}
    job.store.write(description_name(job.job_id), json.dumps(known, indent=2).encode())
    with job.transaction() as session:
        record_architecture(session, job.job_id, delivered)
    return delivered


def _written(
    job: SearchJob,
    workload: Workload,
    weights: dict[str, NDArray[np.float32]],
    description: Description,
    data: DataSplits,
) -> list[_File]:
    """Return the model files of the network, int8 behind fp32 where it was asked for."""
    onnx = onnx_file(workload, weights, description)
    files = [_File.whole("onnx", "fp32", onnx)]
    if job.request.deliver == "int8":
        calibration = [images for images, _ in _batches(data.validation, CALIBRATION_BATCH)]
        chosen = calibration[: NUM_CALIBRATION_IMAGES // CALIBRATION_BATCH]
        files.append(_File.whole("onnx", "int8", quantised_onnx_file(onnx, chosen)))
    files.append(_File.whole("tflite", "fp32", tflite_file(workload, weights, description)))
    # Agents load the .param file alone and run it with weights of zeros.
    param = ModelFile("ncnn", ncnn_param(workload).encode())
    files.append(_File("ncnn", "fp32", ncnn_file(workload, weights, description), param))
    return files


def _delivered(job: SearchJob, architecture: Architecture, file: _File, data: DataSplits) -> ExportedFile:
    job.store.write(export_name(job.job_id, file.format, file.dtype), file.content)
    job.tell("export", TRAINED, f"running and measuring the exported {file.dtype} file for {file.format}")
    latencies = tuple(
        FileLatency(device.name, measure_file(job, device, architecture, file.model))
        for device in job.devices
        if _measures(device, file)
    )
    return ExportedFile(
        format=file.format,
        dtype=file.dtype,
        sha256=hashlib.sha256(file.content).hexdigest(),
        size_bytes=len(file.content),
        validation_accuracy=file_accuracy(
            file.format, file.content, _batches(data.validation, EVALUATION_BATCH)
        ),
        test_accuracy=file_accuracy(file.format, file.content, _batches(data.test, EVALUATION_BATCH)),
        latencies=latencies,
    )


def _measures(device: SearchDevice, file: _File) -> bool:
    """Return whether a device can measure a file under the conditions of its table."""
    conditions = device.table.conditions
    runtime = RUNTIMES.get(conditions.runtime)
    is_loaded = runtime is not None and runtime.model_format == file.format
    # Only ONNX files take images of any number; the others take one.
    return device.can_measure and is_loaded and (file.format == "onnx" or conditions.batch == 1)


def _description(job: SearchJob, found: FoundArchitecture, data: DataSplits) -> Description:
    device = job.devices[0]
    return Description(
        space=job.space.name,
        architecture=found.architecture,
        resolution=job.space.resolution,
        class_names=tuple(data.test.class_names),
        snapshot=device.table.snapshot,
        device=f"{device.name}, {device.table.conditions}",
        target_ms=device.target_us / 1000 if device.target_us else None,
        predicted_ms=found.predicted_us / 1000,
        measured_ms=found.measured_us / 1000 if found.measured_us else None,
        test_accuracy=found.test_accuracy,
    )


def _batches(source: ImageSource, size: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Yield all images as they are, uint8, with their labels."""
    labels_N = source.labels_N
    for start in range(0, len(labels_N), size):
        indices = range(start, min(start + size, len(labels_N)))
        yield source.images(indices).numpy(), labels_N[start : start + size].numpy()
