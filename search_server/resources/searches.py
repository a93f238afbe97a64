"""Searches: asked for, watched, and what they found."""

import math
from dataclasses import dataclass, field
from typing import Literal

from search_server.resources.jobs import Job
from search_server.resources.search_presets import OF_PRESET, SEARCH_PRESETS, PresetName
from search_server.search_options import CombineName, LossName, PathsName, TrainingName, WeightsName
from shared.protocol.device import Conditions

LatencyUnit = Literal["us", "ms"]
CostUnit = Literal["us", "MACs", "parameters", "of the targets"]
Role = Literal["found", "uniform", "random"]


@dataclass(frozen=True, slots=True)
class DeviceTarget:
    """One more device of a search, on which networks have to keep a latency too."""

    device: str
    target_ms: float
    conditions: Conditions | None = None
    """None: those of the search; for a device without an agent, those of its newest table."""
    snapshot: str | None = None
    weight: float = 1.0
    """Of ``combine="weighted"``, where the first device counts 1."""

    def __post_init__(self) -> None:
        if not self.target_ms > 0:
            raise ValueError(f"target_ms of device {self.device} must be above 0, got {self.target_ms:g}")
        if not self.weight > 0:
            raise ValueError(f"weight of device {self.device} must be above 0, got {self.weight:g}")


@dataclass(frozen=True, slots=True)
class SearchCreate:
    """Search a space for networks within a latency on a device, or on several.

    What is not given of ``loss``, ``paths``, ``weights``, ``epochs``, ``warmup_epochs``, ``batch_size`` and
    ``step_images`` is that of the preset, and stands in the request from then on.
    """

    device: str
    space: str
    data: str
    """A data set known by name, or a folder on the server."""
    target_ms: float | None = None
    """None: the loss alone decides (with loss ``fbnet`` or ``additive``)."""
    loss: LossName = OF_PRESET
    """``budget`` holds the target; ``fbnet``: CE * alpha * log(LAT)^beta, the paper's; ``additive``: CE +
    latency_weight * log(LAT)."""
    paths: PathsName = OF_PRESET
    epochs: int = OF_PRESET
    warmup_epochs: int = OF_PRESET
    train_epochs: int = 30
    """Epochs of the short training of each network that is compared."""
    batch_size: int = OF_PRESET
    step_images: int = OF_PRESET
    """A batch trains weights in parts of so many images, each along paths of its own."""
    num_samples: int = 6
    """Networks that are tried out and measured: the best of three times as many drawn."""
    seed: int = 0
    conditions: Conditions = Conditions()
    snapshot: str | None = None
    compare_baselines: bool = True
    """Also train and measure a uniform and a random network near the same latency."""
    also: tuple[DeviceTarget, ...] = ()
    """Further devices, each with its own target."""
    combine: CombineName = "worst"
    """Each device within its target, or only the weighted mean of latency / target."""
    latency_sigmas: float = 0.0
    """Standard errors of the latency tables that the search puts on top of each entry."""
    max_macs: int | None = None
    """Most multiply-accumulates of a network, for one image."""
    max_params: int | None = None
    num_classes: int | None = None
    """Search with so many classes of the data, drawn by ``seed``; None: all of them."""
    class_names: tuple[str, ...] = ()
    """Search with these classes of the data; empty: see ``num_classes``."""
    preset: PresetName = "small-budget"
    weights: WeightsName = OF_PRESET
    """One super-kernel a layer, or weights of its own for each candidate, as in the paper."""
    alpha: float = 0.2
    beta: float = 0.6
    latency_unit: LatencyUnit = "us"
    """Of LAT in loss ``fbnet``; the paper names none."""
    latency_weight: float = 0.1
    """Of log(LAT) in loss ``additive``."""
    mixed_precision: bool = False
    """Forward passes in bf16: for accelerators; most CPUs get slower."""
    recomputes_branches: bool = False
    """Compute each branch again in the backward pass: less memory, more time."""
    training: TrainingName = "scratch"
    """Of the networks that are compared: fresh weights, or those of the supernet, fine-tuned."""

    def __post_init__(self) -> None:
        if self.preset not in SEARCH_PRESETS:
            raise ValueError(f"preset must be one of {', '.join(SEARCH_PRESETS)}, got {self.preset!r}")
        for name, value in SEARCH_PRESETS[self.preset].items():
            if getattr(self, name) is OF_PRESET:
                object.__setattr__(self, name, value)
        if self.target_ms is not None and self.target_ms <= 0:
            raise ValueError(f"target_ms must be above 0, got {self.target_ms}")
        if self.loss == "budget" and self.target_ms is None:
            raise ValueError("loss 'budget' needs target_ms; give a target, or use another loss")
        if not 1 <= self.epochs <= 10_000:
            raise ValueError(f"epochs must lie in 1..10000, got {self.epochs}")
        if not 0 <= self.warmup_epochs < self.epochs:
            raise ValueError(
                f"warmup_epochs must lie in 0..{self.epochs - 1} (below epochs), got {self.warmup_epochs}"
            )
        if not 1 <= self.train_epochs <= 10_000:
            raise ValueError(f"train_epochs must lie in 1..10000, got {self.train_epochs}")
        if not 2 <= self.batch_size <= 8192:
            raise ValueError(f"batch_size must lie in 2..8192, got {self.batch_size}")
        if not 2 <= self.step_images <= 8192:
            raise ValueError(f"step_images must lie in 2..8192, got {self.step_images}")
        if not 1 <= self.num_samples <= 100:
            raise ValueError(f"num_samples must lie in 1..100, got {self.num_samples}")
        self._check_loss()
        self._check_limits()

    def _check_loss(self) -> None:
        if not (self.alpha > 0 and math.isfinite(self.alpha)):
            raise ValueError(f"alpha must be above 0, got {self.alpha:g}")
        for name in ("beta", "latency_weight"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{name} must be at least 0, got {value:g}")

    def _check_limits(self) -> None:
        if not 0 <= self.latency_sigmas <= 5:
            raise ValueError(f"latency_sigmas must lie in 0..5, got {self.latency_sigmas:g}")
        if len(self.also) > 7:
            raise ValueError(f"a search takes up to 8 devices, got {1 + len(self.also)}")
        for name in ("max_macs", "max_params"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise ValueError(f"{name} must be at least 1, got {limit}")
        if self.num_classes is not None and self.num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {self.num_classes}")
        if self.class_names and self.num_classes is not None:
            raise ValueError("give num_classes or class_names, not both")
        if self.loss != "budget" and (self.also or self.max_macs or self.max_params):
            raise ValueError(
                f"loss {self.loss!r} holds no limits; several devices, max_macs and max_params need "
                "loss 'budget'"
            )


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """The mean cost of the networks that theta draws, against a limit."""

    name: str
    """A device, ``MACs`` or ``parameters``."""
    unit: CostUnit
    expected: float
    limit: float


@dataclass(frozen=True, slots=True)
class SearchStep:
    """One recorded step of a search: an epoch, with means over it."""

    step: int
    epoch: int
    phase: Literal["warmup", "search"]
    weight_loss: float
    """Cross entropy on the split that trains weights."""
    theta_loss: float | None
    """The loss that theta follows; None during warm-up."""
    accuracy: float
    """Share of correct answers on the theta split, 0..1: of networks drawn evenly from the space where one
    path runs, else of those that theta draws. It tells what the supernet has learned."""
    expected_latency_us: float
    entropy: float
    """Mean over layers of the entropy of softmax(theta), nats."""
    tau: float
    images_per_s: float
    theta: tuple[tuple[float, ...], ...]
    """softmax(theta), layers x candidates."""
    costs: tuple[ExpectedCost, ...] = ()
    """Every limit that the search holds, and where theta stands; only with loss ``budget``."""
    warnings: tuple[str, ...] = ()
    """Where the search does not do what was asked, with figures."""
    peak_memory_bytes: int | None = None
    """Most that the searching process had in memory so far; with ``cuda`` in that of the accelerator."""
    accelerator: str = "cpu"
    """What the epoch was computed on."""


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


@dataclass(frozen=True, slots=True)
class Search:
    """A search job, what was asked and what was found."""

    job: Job
    request: SearchCreate
    snapshot: str | None = None
    """Hash of the latency table that the search used."""
    other_snapshots: tuple[str, ...] = ()
    """The same for its further devices."""
    stage: str = ""
    """The line of the pipeline it is at."""
    result: FoundArchitecture | None = None
    architectures: tuple[FoundArchitecture, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set that the server knows by name."""

    name: str
    num_images: int | None
    num_classes: int | None
    is_available: bool
    hint: str
    """Where it comes from, or how to get it."""
