"""The found network as files: written, run for their accuracy, measured on the devices."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from search_server.exports.description import Description
from search_server.exports.file_accuracy import onnx_accuracy
from search_server.exports.onnx_file import CALIBRATION_BATCH, onnx_file, quantised_onnx_file
from search_server.model_files.model_file import ModelFile
from search_server.nas.data.images import DataSplits, ImageSource
from search_server.nas.network_weights import load_network, numpy_weights, save_network
from search_server.resources.searches import ExportedFile, FileLatency, FoundArchitecture
from search_server.searches.recording import record_architecture
from search_server.searches.search_job import SearchJob
from search_server.searches.searches import export_path
from search_server.searches.stages import TRAINED
from search_server.searches.training import weights_path
from search_server.searches.verification import measure_file
from shared.architecture import Architecture, parse_architecture
from shared.protocol.wire import to_json

NUM_CALIBRATION_IMAGES = 256
EVALUATION_BATCH = 256

ONNX_RUNTIME = "onnxruntime"
"""The runtime that loads the exported files; on devices of other runtimes they are not measured."""


def deliver(job: SearchJob, found: FoundArchitecture, data: DataSplits) -> FoundArchitecture:
    """Write the found network as ONNX, as torch weights and as JSON, and say what each ONNX file is worth.

    The accuracy of a file is found by running it, its latency by measuring it on each device with ONNX
    Runtime.

    Raises:
        ValueError: a device gave no usable measurement of a file; int8 was asked for without ONNX Runtime.
        StoppedError: the worker is being stopped.
    """
    job.tell("export", TRAINED, "exporting")
    architecture = parse_architecture(found.architecture, job.space)
    module = load_network(architecture.workload(), weights_path(job, architecture))
    save_network(module, job.folder / "network.pt")
    description = _description(job, found, data)
    contents = {"fp32": onnx_file(architecture.workload(), numpy_weights(module), description)}
    if job.request.deliver == "int8":
        calibration = [images for images, _ in _batches(data.validation, CALIBRATION_BATCH)]
        chosen = calibration[: NUM_CALIBRATION_IMAGES // CALIBRATION_BATCH]
        contents["int8"] = quantised_onnx_file(contents["fp32"], chosen)
    files = tuple(
        _delivered(job, architecture, dtype, content, data) for dtype, content in contents.items()
    )
    delivered = replace(found, files=files)
    (job.folder / "network.json").write_text(to_json(delivered))
    with job.transaction() as session:
        record_architecture(session, job.job_id, delivered)
    return delivered


def _delivered(
    job: SearchJob, architecture: Architecture, dtype: str, content: bytes, data: DataSplits
) -> ExportedFile:
    export_path(job.data_dir, job.job_id, "onnx", dtype).write_bytes(content)
    file = ModelFile("onnx", content)
    artifact = file.artifact()
    job.tell("export", TRAINED, f"running and measuring the exported {dtype} file")
    latencies = tuple(
        FileLatency(device.name, measure_file(job, device, architecture, file))
        for device in job.devices
        if device.can_measure and device.table.conditions.runtime == ONNX_RUNTIME
    )
    return ExportedFile(
        format="onnx",
        dtype=dtype,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        validation_accuracy=onnx_accuracy(content, _batches(data.validation, EVALUATION_BATCH)),
        test_accuracy=onnx_accuracy(content, _batches(data.test, EVALUATION_BATCH)),
        latencies=latencies,
    )


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
