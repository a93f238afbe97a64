"""The accuracy of an exported file, found by running the file itself."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def onnx_accuracy(
    content: bytes, batches: Iterable[tuple[NDArray[np.uint8], NDArray[np.int64]]]
) -> float | None:
    """Return the share of images that an ONNX file classifies rightly; None without ONNX Runtime.

    Args:
        content: the file: uint8 images in, logits out.
        batches: images ``(N, 3, H, W)`` and labels ``(N,)``.
    """
    try:
        # ONNX Runtime is an extra: a search runs without it.
        import onnxruntime
    except ImportError:
        return None
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    num_right = num_images = 0
    for images_NCHW, labels_N in batches:
        (logits_NK,) = session.run(["logits"], {"images": images_NCHW})
        num_right += int((logits_NK.argmax(axis=1) == labels_N).sum())
        num_images += len(labels_N)
    return num_right / num_images if num_images else None
