"""Networks that a search compared: what they are, what was predicted and measured, their files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["found", "uniform", "random", "most_macs", "front"]


ROLE_WORDS: Mapping[Role, str] = {
    "found": "found",
    "uniform": "uniform",
    "random": "random",
    "most_macs": "most MACs",
    "front": "front",
}
"""As people read them; ``most_macs`` has the most multiply-accumulates within the limits."""


@dataclass(frozen=True, slots=True)
class DeviceLatency:
    """A network on one more device of a search."""

    device: str
    """Its name."""
    target_us: float
    predicted_us: float
    measured_us: float | None = None
    """None: the device has no agent, or was not asked yet."""


@dataclass(frozen=True, slots=True)
class FileLatency:
    """An exported file as a device of the search ran it."""

    device: str
    measured_us: float
    """Level of the snapshot that the search used on this device."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of the delivered network, as it is handed out."""

    format: str
    dtype: str
    sha256: str
    size_bytes: int
    validation_accuracy: float | None = None
    """Found by running the file; None where the worker has no runtime for it."""
    test_accuracy: float | None = None
    latencies: tuple[FileLatency, ...] = ()
    """On each device whose runtime loads this format. Of format ``ncnn`` devices run the layers alone, with
    weights of zeros."""


@dataclass(frozen=True, slots=True)
class DecodedFor:
    """A point of a front: the device and the target that a network was decoded for."""

    device: str
    target_us: float


@dataclass(frozen=True, slots=True)
class FoundArchitecture:
    """A network that a search compared: found, or a baseline trained and measured alike."""

    role: Role
    architecture: str
    macs: int
    params: int
    predicted_us: float
    measured_us: float | None = None
    """Level of the snapshot that the search used, like ``predicted_us``."""
    validation_accuracy: float | None = None
    test_accuracy: float | None = None
    others: tuple[DeviceLatency, ...] = ()
    """The further devices of the search, in its order."""
    files: tuple[ExportedFile, ...] = ()
    """Of the delivered network alone: what was exported, with its own accuracy and latency."""
    decoded_for: tuple[DecodedFor, ...] = ()
    """On a front: the points that the network stands for."""
    estimated_nats: float | None = None
    """Decoded from the effects of an earlier search: what these say of its cross entropy, against the mean
    of all networks; below 0 is better."""
