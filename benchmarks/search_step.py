"""What a step of the search costs, by the candidates that run in a layer: all (soft), one, or two.

One process takes steps of every kind in turns, beside a plain loop over the candidates, the bare
convolutions and products of the same shapes, and the networks of the same paths trained each by itself, at
whose rate a step with one path would cost nothing more; ratios are medians over rounds. Steps with one path
and with two run every candidate of every layer equally often. Peak memory is the growth of the resident set
to its peak (``VmHWM``; Linux) in a process of its own, weights, gradients and momentum included; with CUDA
it is that of the tensors there. Shares are of the time of a step with one path.

    python -m benchmarks.search_step
    python -m benchmarks.search_step --space fbnet-224 --images 64 --accelerator cuda --mixed-precision
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.bare_operators import BareOperators
from benchmarks.machine import figures_parser, print_figures
from benchmarks.step_kinds import KINDS, Setting, even_paths, random_batch, search_run, steps_of
from search_server.nas.checkpoint import load_checkpoint, save_checkpoint
from search_server.nas.data.batches import training_batches
from search_server.nas.data.images import ImagesInMemory
from search_server.nas.supernet.accelerator import choose_accelerator
from search_server.nas.supernet.memory import peak_memory_bytes
from shared.search_space import search_space

EPOCH_IMAGES = 20_000
"""Images of an epoch, at whose end a checkpoint is written: two fifths of CIFAR."""


def main() -> None:
    """Time steps of every kind and print the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--space", default="fbnet-tiny")
    parser.add_argument("--weights", default="separate", choices=["separate", "entangled"])
    parser.add_argument("--images", type=int, default=32, help="images of a step")
    parser.add_argument("--seconds", type=float, default=60.0, help="of timing")
    parser.add_argument("--accelerator", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--mixed-precision", action="store_true", help="bf16 autocast")
    parser.add_argument("--peak-memory-of", choices=KINDS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    setting = Setting(
        search_space(arguments.space),
        arguments.weights,
        arguments.images,
        choose_accelerator(arguments.accelerator),
        arguments.mixed_precision,
    )
    if arguments.peak_memory_of:
        print(peak_growth_bytes(arguments.peak_memory_of, setting))
        return
    figures = timings(setting, arguments.seconds)
    shares = checkpoint_and_data_shares(setting, figures["image_s"]["one"])
    peaks = {kind: peak_memory(kind, setting) for kind in KINDS}
    if not arguments.json:
        show(figures, shares, peaks, setting.num_images)
    print_figures(
        {
            "benchmark": "search_step",
            "space": setting.space.name,
            "weights": setting.weights,
            "num_images": setting.num_images,
            "accelerator": accelerator_name(setting.accelerator),
            "mixed_precision": setting.mixed_precision,
            "num_threads": torch.get_num_threads(),
            **figures,
            **shares,
            "peak_memory_bytes": peaks,
            "peak_memory_bytes_per_image": {
                kind: peak / setting.num_images for kind, peak in peaks.items()
            },
        }
    )


def accelerator_name(accelerator: torch.device) -> str:
    """Return the model of a CUDA device, else the kind of accelerator."""
    return torch.cuda.get_device_name(accelerator) if accelerator.type == "cuda" else accelerator.type


def wait_for(accelerator: torch.device) -> None:
    """Return when all that was handed to an accelerator is done; the CPU works at once."""
    if accelerator.type == "cuda":
        torch.cuda.synchronize(accelerator)
    elif accelerator.type == "mps":
        torch.mps.synchronize()


def timings(setting: Setting, seconds: float) -> dict[str, Any]:
    """Return seconds per image of each kind of step, and their ratios."""
    bare = BareOperators(setting)
    timed = {kind: steps_of(kind, setting) for kind in KINDS}
    timed["bare"] = bare.run
    for take in timed.values():
        take()
    wait_for(setting.accelerator)
    rounds: dict[str, list[float]] = {name: [] for name in timed}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rounds["bare"]) < 3:
        for name, take in timed.items():
            start = time.perf_counter()
            num_steps = take()
            wait_for(setting.accelerator)
            rounds[name].append((time.perf_counter() - start) / num_steps / setting.num_images)

    def ratio(over: str, under: str) -> float:
        return statistics.median(a / b for a, b in zip(rounds[over], rounds[under], strict=True))

    image_s = {name: statistics.median(values) for name, values in rounds.items()}
    return {
        "one_path_speedup": ratio("soft", "one"),
        "two_path_speedup": ratio("soft", "two"),
        "soft_efficiency": ratio("bare", "soft"),
        "one_path_efficiency": ratio("networks", "one"),
        "plain_loop_ratio": ratio("plain_loop", "soft"),
        "recomputed_ratio": ratio("soft_recomputed", "soft"),
        "macs_speedup": bare.macs / bare.mean_path_macs,
        "bare_gmacs_per_s": 3 * bare.macs / image_s["bare"] / 1e9,
        "image_s": image_s,
        "n": len(rounds["bare"]),
    }


def checkpoint_and_data_shares(setting: Setting, image_s: float) -> dict[str, float]:
    """Return the time of an epoch's checkpoint and of its images, as shares of its steps with one path."""
    space, num_images = setting.space, setting.num_images
    images = torch.randint(256, (2048, *space.input_shape), dtype=torch.uint8)
    labels = torch.randint(space.num_classes, (2048,))
    names = tuple(map(str, range(space.num_classes)))
    source = ImagesInMemory(images, labels, names, space.resolution, mirrors=True)
    batches = training_batches(source, num_images, seed=0)
    start = time.perf_counter()
    num_loaded = sum(len(labels_N) for _, labels_N in batches)
    load_image_s = (time.perf_counter() - start) / num_loaded
    run = search_run(setting, "soft")
    everything = even_paths(space, range(len(space.candidates)))
    run.weights.step(random_batch(setting), everything, progress=0.0)
    with tempfile.TemporaryDirectory(prefix="edgenas-step-") as folder:
        path = Path(folder) / "search.pt"
        start = time.perf_counter()
        save_checkpoint(run, path)
        saved = time.perf_counter()
        load_checkpoint(run, path)
        loaded = time.perf_counter()
    return {
        "data_share": load_image_s / image_s,
        "resume_share": (saved - start) / (EPOCH_IMAGES * image_s),
        "checkpoint_save_s": saved - start,
        "checkpoint_load_s": loaded - saved,
        "epoch_images": EPOCH_IMAGES,
    }


def peak_memory(kind: str, setting: Setting) -> int:
    """Return the peak memory of a kind of step: of CUDA's tensors, or of a process of its own."""
    if setting.accelerator.type == "cuda":
        torch.cuda.reset_peak_memory_stats(setting.accelerator)
        return peak_growth_bytes(kind, setting)
    options = ["--space", setting.space.name, "--weights", setting.weights]
    options += ["--images", str(setting.num_images), "--accelerator", setting.accelerator.type]
    options += ["--mixed-precision"] * setting.mixed_precision
    command = [sys.executable, "-m", "benchmarks.search_step", *options, "--peak-memory-of", kind]
    return int(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def peak_growth_bytes(kind: str, setting: Setting) -> int:
    """Return by how much this process grows at its peak in steps of a kind; with CUDA, its tensors."""
    is_cuda = setting.accelerator.type == "cuda"
    before = torch.cuda.memory_allocated(setting.accelerator) if is_cuda else _resident_bytes("VmRSS")
    take = steps_of(kind, setting)
    take()
    take()
    return (peak_memory_bytes(setting.accelerator) if is_cuda else _resident_bytes("VmHWM")) - before


def show(figures: dict[str, Any], shares: dict[str, float], peaks: dict[str, int], num_images: int) -> None:
    """Print the figures for people."""
    print(f"{'':16} {'ms/image':>9} {'MB/image':>9}")
    for name, image_s in figures["image_s"].items():
        peak = f"{peaks[name] / num_images / 1e6:9.2f}" if name in peaks else ""
        print(f"{name:16} {image_s * 1e3:9.2f} {peak}")
    print(
        f"one path is {figures['one_path_speedup']:.2f} times cheaper than soft, two paths "
        f"{figures['two_path_speedup']:.2f} times; by multiply-accumulates one path would be "
        f"{figures['macs_speedup']:.2f} times"
    )
    print(f"soft reaches {figures['soft_efficiency']:.1%} of the rate of its bare operators")
    print(f"one path reaches {figures['one_path_efficiency']:.1%} of the rate of its networks alone")
    print(
        f"data {shares['data_share']:.2%}, checkpoints {shares['resume_share']:.2%} of a step with one path"
    )


def _resident_bytes(field: str) -> int:
    """Return the resident set now (``VmRSS``) or at its peak (``VmHWM``)."""
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith(field))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
