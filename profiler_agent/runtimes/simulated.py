"""A runtime that measures nothing: times from a model of costs and a real device's noise, for load tests.

Costs follow a roofline: each operator takes the longer of its arithmetic and its memory traffic. A noise
profile says how a device's timings scatter: an autocorrelated residual, bursts that only add time, and
with some devices a timer of whole milliseconds. Time is virtual: a window of five seconds passes in the
time that it takes to draw its samples. The same device and seed give the same samples.

Source of the profiles: computed from the latency data of HELP (Lee et al., NeurIPS 2021); see
``licenses/LICENSE.HELP``. They describe timings of networks of the FBNet space for 32x32 images.
"""

import csv
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from profiler_agent.runtimes.base import Clock, UnsupportedWorkloadError
from shared.operators import BatchNorm2d, Operator, ReLU, ReLU6, Shape
from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem, NodeSamples
from shared.workload import Segment

DEFAULT_DEVICE = "silver_4210r"
"""Among the quiet ones: a residual of 0.65 %."""

_TICK_NS = 1_000_000
"""Of the timers that tell whole milliseconds."""

_MACS_PER_US = 2000.0
_BYTES_PER_US = 4000.0
_OPERATOR_US = 2.0
_REFERENCE_NETWORK_US = 38_686.0
"""Cost of the middle-sized network (k3_e3 everywhere) of the profiles' space; gives a device its level."""

_BURST_SIGMAS = 5.0
"""A burst adds so many sigmas and, in the mean, as many again."""
_LEAST_FACTOR = 0.5

_CANARY_US = 100.0
"""No simulated device gets hot."""
_MIN_TICKS = 2


@dataclass(frozen=True, slots=True)
class NoiseProfile:
    """How the timings of one device scatter."""

    device: str
    median_ms: float
    """Of a middle-sized network."""
    sigma: float
    """Of the residual, relative."""
    burst_share: float
    """Of runs that take far longer, 0..1."""
    autocorrelation: float
    """Of neighbouring runs' residuals, -1..1."""
    has_millisecond_timer: bool


@cache
def noise_profiles() -> dict[str, NoiseProfile]:
    """Return the profiles by device, quietest first.

    Devices whose published figures are sums of a table have no noise of their own and are left out.
    """
    file = files("profiler_agent.runtimes") / "data" / "device_noise_profiles.csv"
    profiles = [
        NoiseProfile(
            device=line["device"],
            median_ms=float(line["median_net_ms"]),
            sigma=float(line["robust_resid_sigma_ms"]) / float(line["median_net_ms"]),
            burst_share=float(line["frac_pos_burst_gt5sigma"]),
            autocorrelation=float(line["resid_lag1_autocorr"]),
            has_millisecond_timer=line["integer_ms_timer"] == "True",
        )
        for line in csv.DictReader(file.read_text().splitlines())
        if float(line["robust_resid_sigma_ms"]) > 0
    ]
    return {profile.device: profile for profile in sorted(profiles, key=lambda profile: profile.sigma)}


def noise_profile(device: str) -> NoiseProfile:
    """Return the profile of a device.

    Raises:
        ValueError: there is none; the message lists those that exist.
    """
    profiles = noise_profiles()
    if device not in profiles:
        raise ValueError(f"no device {device!r} can be simulated; these can: {', '.join(profiles)}")
    return profiles[device]


class SimulatedRuntime:
    """Plays one device; its version is that device's name, so that no table mixes two."""

    name = "simulated"
    accelerators = ("cpu",)

    def __init__(self, device: str = DEFAULT_DEVICE) -> None:
        """Take a device's part.

        Raises:
            ValueError: it has no noise profile.
        """
        self._profile = noise_profile(device)
        self._time = _VirtualTime(self._profile, seed=0)

    @property
    def version(self) -> str:
        return self._profile.device

    def begin(self, seed: int) -> Clock:
        """Start the virtual time of a lease; see :class:`profiler_agent.runtimes.base.InVirtualTime`."""
        self._time = _VirtualTime(self._profile, seed)
        return Clock(self._time.read_ns, self._time.read_ns, lambda: _CANARY_US)

    def load(self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None) -> "SimulatedModel":
        """Return a model of an item's costs; see :class:`profiler_agent.runtimes.base.Runtime`."""
        if conditions.dtype != "fp32":
            raise UnsupportedWorkloadError(
                f"dtype {conditions.dtype!r} is not simulated, only fp32; ask for fp32"
            )
        if conditions.threads != 1:
            raise UnsupportedWorkloadError(
                f"{conditions.threads} threads are not simulated, only 1; ask for 1"
            )
        segment_us = segment_latencies_us(self._profile, item, conditions.batch)
        total_us = sum(segment_us.values())
        if self._profile.has_millisecond_timer and total_us * 1000 < _MIN_TICKS * _TICK_NS:
            raise UnsupportedWorkloadError(
                f"item {item.item_id!r} takes {total_us / 1000:.2g} ms and the timer of {self.version} "
                f"tells whole milliseconds; simulate another, or networks of at least {_MIN_TICKS} ms"
            )
        return SimulatedModel(segment_us, self._time)


class SimulatedModel:
    """A network as the true latencies of its segments."""

    def __init__(self, segment_us: dict[str, float], virtual_time: "_VirtualTime") -> None:
        self._segment_us = segment_us
        self._total_us = sum(segment_us.values())
        self._time = virtual_time
        self._node_us: dict[str, list[float]] = defaultdict(list)

    def run(self) -> None:
        self._time.pass_us(self._total_us * self._time.draw_factor())

    def run_profiled(self) -> None:
        factor = self._time.draw_factor()
        stamps_ns = [self._time.read_ns()]
        for latency_us in self._segment_us.values():
            self._time.pass_us(latency_us * factor)
            stamps_ns.append(self._time.read_ns())
        for name, (start_ns, end_ns) in zip(self._segment_us, pairwise(stamps_ns), strict=True):
            self._node_us[name].append((end_ns - start_ns) / 1000)

    def node_samples(self) -> Sequence[NodeSamples]:
        return tuple(NodeSamples(name, name, "segment", tuple(us)) for name, us in self._node_us.items())


def segment_latencies_us(profile: NoiseProfile, item: LeaseItem, batch: int = 1) -> dict[str, float]:
    """Return the true latency of each segment that computes something, by its name."""
    scale = profile.median_ms * 1000 / _REFERENCE_NETWORK_US
    return {
        segment.name: scale * _cost_us(segment, shape, batch)
        for segment, shape in zip(item.network.segments, item.network.shapes(), strict=False)
        if segment.operators
    }


class _VirtualTime:
    """The clock of a device that only pretends to work, and the noise of its timings."""

    def __init__(self, profile: NoiseProfile, seed: int) -> None:
        self._profile = profile
        self._generator = random.Random(seed)
        self._now_ns = self._generator.random() * _TICK_NS
        self._residual = self._generator.gauss(0, 1)

    def read_ns(self) -> int:
        now_ns = round(self._now_ns)
        return now_ns - now_ns % _TICK_NS if self._profile.has_millisecond_timer else now_ns

    def pass_us(self, latency_us: float) -> None:
        self._now_ns += latency_us * 1000

    def draw_factor(self) -> float:
        """Return by how much the next run takes longer than the truth."""
        profile, generator = self._profile, self._generator
        memory = profile.autocorrelation
        self._residual = memory * self._residual + math.sqrt(1 - memory**2) * generator.gauss(0, 1)
        num_sigmas = self._residual
        if generator.random() < profile.burst_share:
            num_sigmas += _BURST_SIGMAS * (1 + generator.expovariate(1))
        return max(_LEAST_FACTOR, 1 + profile.sigma * num_sigmas)


def _cost_us(segment: Segment, shape: Shape, batch: int) -> float:
    """Return what a segment takes on the reference device; what runtimes fuse costs nothing."""
    entry, total_us = shape, 0.0
    for operator in segment.operators:
        output = operator.output_shape(shape)
        if not isinstance(operator, BatchNorm2d | ReLU | ReLU6):
            total_us += _operator_us(operator, shape, output, batch)
        shape = output
    if segment.residual:
        total_us += _OPERATOR_US + 4 * 3 * batch * math.prod(entry) / _BYTES_PER_US
    return total_us


def _operator_us(operator: Operator, shape: Shape, output: Shape, batch: int) -> float:
    num_bytes = 4 * (batch * (math.prod(shape) + math.prod(output)) + operator.num_params)
    arithmetic_us = batch * operator.macs(shape) / _MACS_PER_US
    return _OPERATOR_US + max(arithmetic_us, num_bytes / _BYTES_PER_US)
