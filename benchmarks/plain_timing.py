"""A second opinion on latency: a plain timing loop that shares no code with harness or fit.

Run in a process of its own: ``python -m benchmarks.plain_timing ORDER.json`` times model files in rounds
of random order, each run right after a run of the first file, and prints seconds as JSON.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Order:
    """What to time."""

    paths: list[str]
    """ONNX files; the first is the yardstick."""
    shapes: list[tuple[int, int, int]]
    """Input shape of each."""
    seconds: float
    is_warm: bool
    """Untimed runs before each timed one, 3 ms of them and one at least."""
    seed: int


def time_in_new_process(
    models: Sequence[tuple[bytes, tuple[int, int, int]]], seconds: float, is_warm: bool, seed: int
) -> Array:
    """Time models in a new process; the first is the yardstick.

    Returns:
        Array of shape (rounds, models, 2): seconds of the yardstick right before, and of the model.
    """
    with tempfile.TemporaryDirectory(prefix="edgenas-timing-") as folder:
        paths = []
        for index, (content, _) in enumerate(models):
            path = Path(folder) / f"{index}.onnx"
            path.write_bytes(content)
            paths.append(str(path))
        order = Order(paths, [shape for _, shape in models], seconds, is_warm, seed)
        order_path = Path(folder) / "order.json"
        order_path.write_text(json.dumps(asdict(order)))
        command = [sys.executable, "-m", "benchmarks.plain_timing", str(order_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return np.array(json.loads(done.stdout))


def median_ratios(seconds: Array) -> Array:
    """Return the median over rounds of model over yardstick, one value a model."""
    ratios: Array = np.median(seconds[:, :, 1] / seconds[:, :, 0], axis=0)
    return ratios


class _Model:
    """A session with its input and output bound."""

    def __init__(self, path: str, shape: tuple[int, int, int]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        images = np.random.default_rng(0).random((1, *shape), dtype=np.float32)
        self.binding.bind_cpu_input("images", images)
        # The runtime allocates the output once, at the first run, and keeps it.
        self.binding.bind_output("logits", "cpu")

    def seconds(self, is_warm: bool) -> float:
        warm_end = time.perf_counter() + 0.003
        while is_warm:
            self.session.run_with_iobinding(self.binding)
            is_warm = time.perf_counter() < warm_end
        start = time.perf_counter()
        self.session.run_with_iobinding(self.binding)
        return time.perf_counter() - start


def _run(order: Order) -> list[list[tuple[float, float]]]:
    places = list(range(len(order.paths)))
    random.Random(order.seed).shuffle(places)  # models that are loaded late run up to 3 % faster
    loaded = {place: _Model(order.paths[place], order.shapes[place]) for place in places}
    models = [loaded[place] for place in range(len(order.paths))]
    for model in models * 2:
        model.seconds(is_warm=False)
    shuffled = list(range(len(models)))
    shuffle = random.Random(order.seed).shuffle
    end = time.perf_counter() + order.seconds
    rounds: list[list[tuple[float, float]]] = []
    while time.perf_counter() < end or len(rounds) < 3:
        shuffle(shuffled)
        pairs = [(0.0, 0.0)] * len(models)
        for index in shuffled:
            yardstick = models[0].seconds(order.is_warm)
            pairs[index] = (yardstick, models[index].seconds(order.is_warm))
        rounds.append(pairs)
    return rounds


if __name__ == "__main__":
    print(json.dumps(_run(Order(**json.loads(Path(sys.argv[1]).read_text())))))
