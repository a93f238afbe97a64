"""The accuracy of an exported file, found by running the file itself.

The runtimes are extras: a search runs without them, and then the accuracy of their files is unknown.
"""

import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search_server.exports.ncnn_file import PARAM, WEIGHTS
from shared.runtimes import ArtifactFormat

Batches = Iterable[tuple[NDArray[np.uint8], NDArray[np.int64]]]
"""Images ``(N, 3, H, W)`` and labels ``(N,)``."""
Classify = Callable[[NDArray[np.uint8]], NDArray[np.int64]]
"""Images ``(N, 3, H, W)`` to classes ``(N,)``."""


def file_accuracy(file_format: ArtifactFormat, content: bytes, batches: Batches) -> float | None:
    """Return the share of images that a file classifies rightly.

    None: the runtime that loads the format is not installed, or there are no images.

    Args:
        file_format: onnx, tflite or ncnn.
        content: the exported file.
        batches: images and labels.
    """
    load = {"onnx": _onnx, "tflite": _tflite, "ncnn": _ncnn}[file_format]
    try:
        classify = load(content)
    except ImportError:
        return None
    num_right = num_images = 0
    for images_NCHW, labels_N in batches:
        num_right += int((classify(images_NCHW) == labels_N).sum())
        num_images += len(labels_N)
    return num_right / num_images if num_images else None


def _onnx(content: bytes) -> Classify:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def classify(images_NCHW: NDArray[np.uint8]) -> NDArray[np.int64]:
        (logits_NK,) = session.run(["logits"], {"images": images_NCHW})
        return np.array(logits_NK.argmax(axis=1), np.int64)

    return classify


def _tflite(content: bytes) -> Classify:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=os.cpu_count())
    run = interpreter.get_signature_runner()

    def classify(images_NCHW: NDArray[np.uint8]) -> NDArray[np.int64]:
        images_NHWC = images_NCHW.transpose(0, 2, 3, 1).astype(np.float32)
        return np.array([run(input=image[None])["output"].argmax() for image in images_NHWC])

    return classify


def _ncnn(content: bytes) -> Classify:
    import ncnn

    net = ncnn.Net()
    # ncnn's threads spin while they wait: with more on two busy cores, 1000 images took 35 s, not 1.4 s.
    net.opt.num_threads = 1
    with tempfile.TemporaryDirectory(prefix="edgenas-ncnn-") as name:
        folder = Path(name)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(folder)
        if net.load_param(str(folder / PARAM)) or net.load_model(str(folder / WEIGHTS)):
            raise ValueError("ncnn cannot load the exported network; the messages above say why")

    def class_of(image_CHW: NDArray[np.float32]) -> int:
        images = ncnn.Mat(image_CHW).clone()  # the copy is laid out as ncnn wants it
        extractor = net.create_extractor()
        extractor.input("images", images)
        return int(np.asarray(extractor.extract("logits")[1]).argmax())

    def classify(images_NCHW: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.array([class_of(image) for image in images_NCHW.astype(np.float32)])

    return classify
