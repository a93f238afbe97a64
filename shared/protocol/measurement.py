"""Lease and result: what a server asks of an agent and what comes back.

The same two messages travel over both carriers: the server posts a lease to a listening agent, or an
agent that dials out fetches it. All items of a lease are measured interleaved, in rounds of random
order, so that they share the device's state; a long measurement is several leases.
"""

import re
from dataclasses import dataclass
from typing import Literal

from shared.protocol.device import Conditions, Device, Environment
from shared.runtimes import ArtifactFormat
from shared.workload import Workload

_SHA256 = re.compile(r"[0-9a-f]{64}")
_WHEEL_NAME = re.compile(r"edgenas_agent-[0-9A-Za-z.+]{1,60}-py3-none-any\.whl")

PROTOCOL_MIN = 1
PROTOCOL_MAX = 3
"""The protocol versions that this code speaks."""
OWN_FILES_PROTOCOL = 2
"""The first in which a model file need not be a workload's."""
NEW_OPERATORS_PROTOCOL = 3
"""The first with the activations and the squeeze-and-excite of MobileNetV3; see ``OLD_KINDS``."""

Status = Literal["ok", "unstable", "throttled", "deferred", "unsupported", "error"]
"""Only ``ok`` feeds a latency table."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model file, named by the SHA-256 of its bytes (64 hex digits)."""

    sha256: str
    size_bytes: int
    format: ArtifactFormat = "onnx"

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise ValueError(f"artifact sha256 must be 64 lower-case hex digits, got {self.sha256!r}")
        if self.size_bytes < 0:
            raise ValueError(f"artifact size_bytes must be at least 0, got {self.size_bytes}")


@dataclass(frozen=True, slots=True)
class ModelInput:
    """What a model file that is no workload's is fed with."""

    name: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if any(size < 1 for size in self.shape):
            raise ValueError(f"the sizes of input {self.name!r} must be at least 1, got {self.shape}")


@dataclass(frozen=True, slots=True)
class LeaseItem:
    """One network to measure: a workload, or a model file that somebody brought."""

    item_id: str
    workload: Workload | None = None
    """None: the model file is all that is known."""
    artifact: Artifact | None = None
    """The model file; None where the runtime builds the model from the workload itself."""
    is_anchor: bool = False
    """The anchor also runs right before every other item, as the yardstick of the moment."""
    profile_segments: bool = False
    """Also run under the runtime's own node profiler, in runs of their own."""
    inputs: tuple[ModelInput, ...] = ()
    """Of a model file without a workload: a shape for each of its inputs."""

    def __post_init__(self) -> None:
        if self.workload is None and self.artifact is None:
            raise ValueError(f"item {self.item_id!r} needs a workload or a model file")

    @property
    def network(self) -> Workload:
        """The workload of an item that has one.

        Raises:
            ValueError: the item is a model file that somebody brought.
        """
        if self.workload is None:
            raise ValueError(f"item {self.item_id!r} is a model file without a workload")
        return self.workload


@dataclass(frozen=True, slots=True)
class Policy:
    """How long and how often to measure."""

    window_s: float = 5.0
    """Rounds go on for this long once warm."""
    min_runs: int = 3
    """... and until each item ran so often, even if the window is over."""
    max_rounds: int = 1000
    warmup_s: float = 0.5
    """Every item runs at least once before, and all together for this long."""
    seed: int = 0
    """Seeds the order within rounds."""
    max_pause_s: float = 8.0
    """How long a lease may pause in all for a device that got slow to recover; then it ends without
    numbers. Pauses come on top of the window."""
    accept_noise: bool = False
    """Measure a slow or restless device as it is: no pauses, and what would speak against a result stands
    in its ``noise``."""

    def __post_init__(self) -> None:
        if not 0 < self.window_s <= 600:
            raise ValueError(f"policy window_s must lie in 0..600, got {self.window_s}")
        if not 1 <= self.min_runs <= self.max_rounds <= 100_000:
            raise ValueError(
                "policy needs 1 <= min_runs <= max_rounds <= 100000, "
                f"got {self.min_runs} and {self.max_rounds}"
            )
        if not 0 <= self.warmup_s <= 600:
            raise ValueError(f"policy warmup_s must lie in 0..600, got {self.warmup_s}")
        if not 0 <= self.max_pause_s <= 600:
            raise ValueError(f"policy max_pause_s must lie in 0..600, got {self.max_pause_s}")


@dataclass(frozen=True, slots=True)
class Lease:
    """Permission and order to measure some networks on one device."""

    lease_id: str
    fence: int
    """Rises with every hand-out of the same work; results with an old fence are refused."""
    device_id: str
    items: tuple[LeaseItem, ...]
    conditions: Conditions
    policy: Policy
    ttl_s: float
    """The lease ends so long after it was handed out unless a heartbeat renews it."""
    protocol: int = PROTOCOL_MAX

    def __post_init__(self) -> None:
        ids = [item.item_id for item in self.items]
        if not ids or len(set(ids)) != len(ids):
            raise ValueError(f"lease {self.lease_id!r} needs items with different item_ids, got {ids}")
        if sum(item.is_anchor for item in self.items) > 1:
            raise ValueError(f"lease {self.lease_id!r} has more than one anchor")


@dataclass(frozen=True, slots=True)
class RunSamples:
    """Whole-network runs as columns of equal length, in the order in which they ran."""

    start_us: tuple[float, ...] = ()
    """Start of the run, microseconds since the lease's rounds began; one clock for all items."""
    wall_us: tuple[float, ...] = ()
    cpu_us: tuple[float, ...] = ()
    """CPU time of the calling thread."""
    turn_index: tuple[int, ...] = ()
    """Which turn the run was part of. Items take turns of one run or several; the anchor's runs right
    before those of another item are of the same turn."""
    involuntary_switches: tuple[int, ...] = ()
    minor_faults: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeSamples:
    """One node of the runtime's graph under its profiler, one value a profiled run."""

    name: str
    segment: str
    """The workload's segment that this node belongs to; empty in a model file that is no workload."""
    op_type: str
    wall_us: tuple[float, ...]
    shapes: str = ""
    """Of its inputs and outputs, such as ``1x3x32x32 -> 1x8x32x32``; empty if the runtime does not tell."""


@dataclass(frozen=True, slots=True)
class Result:
    """What measuring one lease item gave."""

    lease_id: str
    fence: int
    item_id: str
    status: Status
    reason: str | None = None
    """Why the status is not ``ok``, and what would help; with ``ok``, what a reader should know."""
    runs: RunSamples = RunSamples()
    nodes: tuple[NodeSamples, ...] = ()
    profiled_wall_us: tuple[float, ...] = ()
    """Whole-network wall time of the profiled runs."""
    runtime_version: str | None = None
    cores_seen: tuple[int, ...] = ()
    """Cores on which the measuring thread really ran."""
    environment_before: Environment = Environment()
    environment_after: Environment = Environment()
    agent_version: str = ""
    started_at: str = ""
    """UTC, ISO 8601."""
    device_s: float = 0.0
    """Time that the whole lease took on the device so far, loading and warm-up included."""
    is_simulated: bool = False
    canary_us: float | None = None
    """Usual CPU time of the agent's canary, a fixed piece of work, while the rounds went on."""
    paused_s: float = 0.0
    """How long the lease paused for the device to recover, warming up again included."""
    noise: str | None = None
    """Why the status would not be ``ok``, had the lease's policy not accepted noise."""


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """An agent asks for work."""

    protocol_min: int = PROTOCOL_MIN
    protocol_max: int = PROTOCOL_MAX
    environment: Environment = Environment()
    device: Device | None = None
    """What the device is now. An agent sends it with its first request after a start: a runtime may
    have been installed, or removed, meanwhile."""
    waiting_for: str = ""
    """What lacks of the conditions under which its owner lends it, such as ``charging``: no lease is
    wanted now. Empty: nothing lacks."""
    does_errands: bool = False
    """Answer without a lease where something is asked of the device: it hears what by a heartbeat."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An agent is alive, and perhaps at work on a lease."""

    lease_id: str | None = None
    fence: int | None = None
    progress: float | None = None
    """Share of the lease done, 0..1."""
    environment: Environment = Environment()
    upgrade_failure: str = ""
    """Why the upgrade that the server asked for did not succeed."""


@dataclass(frozen=True, slots=True)
class AgentState:
    """How an agent that listens is at this moment: what a caller asks before it hands out a lease."""

    environment: Environment = Environment()
    waiting_for: str = ""
    """What lacks of the conditions under which its owner lends it; a lease would be refused now."""
    lease_id: str | None = None
    """The lease at work, whoever handed it out."""


@dataclass(frozen=True, slots=True)
class AgentWheel:
    """The server's own agent; a device gets it below the server's ``/install/``, and checks the hash."""

    name: str
    sha256: str

    def __post_init__(self) -> None:
        if not _WHEEL_NAME.fullmatch(self.name):
            raise ValueError(f"a wheel of the agent is not called {self.name[:80]!a}")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"wheel sha256 must be 64 lower-case hex digits, got {self.sha256[:80]!a}")


@dataclass(frozen=True, slots=True)
class HeartbeatReply:
    """What the server wants of an agent."""

    cancel: bool = False
    """Stop the lease: it was cancelled or has passed to another hand."""
    interval_s: float = 5.0
    """When to send the next heartbeat."""
    rotate: bool = False
    """Between leases: renew the device's credential."""
    upgrade: AgentWheel | None = None
    """Between leases: become this agent, if the device's owner allows that."""


@dataclass(frozen=True, slots=True)
class ResultReceipt:
    """A result has arrived; sending it again changes nothing."""

    lease_id: str
    item_id: str
    is_new: bool
