"""Searches: asked for, watched, and what they found."""

from dataclasses import dataclass, field
from typing import Literal

from search_server.resources.jobs import Job
from shared.device import Conditions

LossName = Literal["fbnet", "budget"]
PathsName = Literal["soft", "one", "two"]
CombineName = Literal["worst", "weighted"]
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
    """Search a space for networks within a latency on a device, or on several."""

    device: str
    space: str
    data: str
    """A data set known by name, or a folder on the server."""
    target_ms: float | None = None
    """None: the loss alone decides (only with loss ``fbnet``)."""
    loss: LossName = "budget"
    paths: PathsName = "one"
    epochs: int = 20
    warmup_epochs: int = 4
    train_epochs: int = 30
    """Epochs of the short training from scratch of each network that is compared."""
    batch_size: int = 64
    num_samples: int = 6
    """Networks drawn from the found distribution and ranked."""
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

    def __post_init__(self) -> None:
        if self.target_ms is not None and self.target_ms <= 0:
            raise ValueError(f"target_ms must be above 0, got {self.target_ms}")
        if self.loss == "budget" and self.target_ms is None:
            raise ValueError("loss 'budget' needs target_ms; give a target, or use loss 'fbnet'")
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
        if not 1 <= self.num_samples <= 100:
            raise ValueError(f"num_samples must lie in 1..100, got {self.num_samples}")
        self._check_limits()

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
    """Share of correct answers of the sampled paths on the theta split, 0..1."""
    expected_latency_us: float
    entropy: float
    """Mean over layers of the entropy of softmax(theta), nats."""
    tau: float
    images_per_s: float
    theta: tuple[tuple[float, ...], ...]
    """softmax(theta), layers x candidates."""
    costs: tuple[ExpectedCost, ...] = ()
    """Every limit that the search holds, and where theta stands; empty with loss ``fbnet``."""
    warnings: tuple[str, ...] = ()
    """Where the search does not do what was asked, with figures."""
    peak_memory_bytes: int | None = None
    """Most that the searching process had in memory so far."""


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
