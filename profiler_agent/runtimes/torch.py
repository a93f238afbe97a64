"""torch in eager mode: batch norms folded, channels last, time-stamps at the borders of segments.

A network of images takes them as bytes and normalises them: that is a part of the first segment's time, as
in the file of plain torch that a search delivers.

torch has no node profiler that is cheap enough, so a profiled run stamps the time between segments; each
segment counts as one node. On glibc the allocator must keep its memory, or page faults dominate: the agent
starts the measuring process of this runtime with ``MALLOC_*`` set (``measuring/supervision.py``), and every
sample carries its number of faults.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from profiler_agent.runtimes.base import Runtime, require_dtype, required_accelerator
from profiler_agent.runtimes.segment_times import SegmentTimes
from shared.modules import SegmentModule, network_module, to_channels_last
from shared.normalisation import DIVISOR, OFFSET
from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem, NodeSamples


class TorchRuntime:
    """torch on the CPU, eager."""

    name = "torch"
    accelerators = ("cpu",)

    @property
    def version(self) -> str:
        return str(torch.__version__)

    def load(self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None) -> "TorchModel":
        """Build the network of an item; see :class:`profiler_agent.runtimes.base.Runtime`."""
        require_dtype(self.name, conditions)
        required_accelerator(self, item, conditions)
        torch.set_num_threads(conditions.threads)
        return TorchModel(item, conditions.batch)


class TorchModel:
    """One workload as a chain of segments."""

    def __init__(self, item: LeaseItem, batch: int) -> None:
        generator = torch.Generator().manual_seed(0)
        network = network_module(item.network, generator).eval()
        self._segments: list[tuple[str, nn.Module]] = []
        for name, segment in network.segments.items():
            assert isinstance(segment, SegmentModule)
            if len(segment):
                fold_batch_norms(segment)
                to_channels_last(segment)
                self._segments.append((name, segment))
        images_NCHW = torch.rand(batch, *item.network.input_shape, generator=generator)
        if item.network.takes_images:
            images_NCHW = (255 * images_NCHW).byte()
            name, first = self._segments[0]
            self._segments[0] = name, nn.Sequential(Normalised(), first)
        self._images_NCHW = images_NCHW.to(memory_format=torch.channels_last)
        self._times = SegmentTimes()

    @torch.inference_mode()
    def run(self) -> None:
        x_NCHW = self._images_NCHW
        for _, segment in self._segments:
            x_NCHW = segment(x_NCHW)

    @torch.inference_mode()
    def run_profiled(self) -> None:
        x_NCHW = self._images_NCHW
        stamps_ns = [time.perf_counter_ns()]
        for _, segment in self._segments:
            x_NCHW = segment(x_NCHW)
            stamps_ns.append(time.perf_counter_ns())
        self._times.add_run([name for name, _ in self._segments], stamps_ns)

    def node_samples(self) -> Sequence[NodeSamples]:
        return self._times.nodes()


class Normalised(nn.Module):
    """Images 0..255 as a network was trained to see them."""

    def forward(self, images_NCHW: torch.Tensor) -> torch.Tensor:
        return (images_NCHW.float() - OFFSET) / DIVISOR


def fold_batch_norms(segment: SegmentModule) -> None:
    """Fold each batch norm into the convolution before it, in place."""
    for index in range(len(segment) - 1):
        conv, norm = segment[index], segment[index + 1]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            segment[index] = fuse_conv_bn_eval(conv, norm)
            segment[index + 1] = nn.Identity()


RUNTIME: type[Runtime] = TorchRuntime
