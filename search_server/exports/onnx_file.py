"""A trained network as an ONNX file: uint8 images in, logits out, any batch size, described in metadata.

It is the timing model with trained weights. ONNX Runtime's own static quantisation makes the int8 form.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from search_server.exports.description import Description
from search_server.exports.folded_division import weights_for_bytes
from search_server.model_files.onnx_model import onnx_bytes
from shared.workload import Workload

Images = NDArray[np.uint8]

CALIBRATION_BATCH = 32


def onnx_file(
    workload: Workload, weights: Mapping[str, NDArray[np.float32]], description: Description
) -> bytes:
    """Return a network as ONNX.

    Its input ``images`` is uint8 ``(N, 3, H, W)``, its output ``logits`` float32 ``(N, classes)``.

    Args:
        workload: the network.
        weights: of the trained network; see ``onnx_bytes``.
        description: goes into the metadata.

    Raises:
        ValueError: an array is missing or has another shape than its operator.
    """
    model = onnx.load_from_string(onnx_bytes(workload, weights_for_bytes(workload, weights), batch=None))
    helper.set_model_props(model, description.texts())
    model.producer_name = "edgenas"
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def quantised_onnx_file(content: bytes, calibration: Sequence[Images]) -> bytes:
    """Return the same network with int8 kernels, a scale a channel, and uint8 activations (QDQ form).

    Args:
        content: what :func:`onnx_file` returned.
        calibration: batches of images from which the ranges of activations are taken.

    Raises:
        ValueError: ONNX Runtime is not installed, or there are no images.
    """
    if not calibration:
        raise ValueError("static quantisation needs images for the ranges of activations, got none")
    try:
        # ONNX Runtime is an extra: only who asks for int8 needs it.
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise ValueError("int8 needs ONNX Runtime in the worker: pip install onnxruntime") from error

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
        def __init__(self) -> None:
            self._batches: Iterator[Images] = iter(calibration)

        def get_next(self) -> dict[str, Images] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"images": batch}

    with tempfile.TemporaryDirectory(prefix="edgenas-int8-") as folder:
        plain, ready, quantised = (Path(folder) / f"{name}.onnx" for name in ("plain", "ready", "int8"))
        plain.write_bytes(content)
        quant_pre_process(str(plain), str(ready), skip_optimization=True)
        quantize_static(
            str(ready),
            str(quantised),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        model = onnx.load(str(quantised))
    del model.metadata_props[:]
    model.metadata_props.extend(onnx.load_from_string(content).metadata_props)
    return bytes(model.SerializeToString())
