"""Searches: asked for, watched, and what they found."""

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field, fields

from search_server.option_field import option
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.jobs import Job, require_job_name
from search_server.resources.tabular import Tabular
from search_server.search_options import (
    CostUnit,
    DeliverName,
    Phase,
    SearchOptions,
    ShortlistName,
    TrainingName,
)
from shared.protocol.device import Conditions

MAX_POINTS = 12
"""Of a front, on each device."""


@dataclass(frozen=True, slots=True)
class DeviceTarget:
    """One more device of a search, on which networks have to keep a latency too."""

    device: str
    target_ms: float | None
    """None: on a front, which has targets of its own."""
    conditions: Conditions | None = None
    """None: those of the search; for a device without an agent, those of its tables, if they are alike."""
    snapshot: str | None = None
    weight: float = 1.0
    """Of ``combine="weighted"``, where the first device counts 1."""

    def __post_init__(self) -> None:
        if self.conditions is not None:
            object.__setattr__(self, "conditions", self.conditions.usual_unsaid())
        if self.target_ms is not None and not self.target_ms > 0:
            raise ValueError(f"target_ms of device {self.device} must be above 0, got {self.target_ms:g}")
        if not self.weight > 0:
            raise ValueError(f"weight of device {self.device} must be above 0, got {self.weight:g}")


@dataclass(frozen=True, slots=True)
class SearchCreate(SearchOptions):
    """Search a space for networks within a latency on a device, or on several.

    Options that are not given are those of the preset, and stand in the request from then on.
    """

    device: str
    space: str
    data: str
    """A data set known by name, or a folder on the server."""
    _: KW_ONLY
    batch_size: int = option(64, "Images of a batch.", unit="images", at_least=2, at_most=8192)
    training: TrainingName = option(
        "scratch",
        "Networks that are compared train from scratch, or inherit the supernet's weights and are "
        "fine-tuned.",
    )
    train_epochs: int = option(
        30,
        "Epochs of the short training of each network that is compared; 0, with paths none, trains and "
        "exports nothing.",
        at_least=0,
        at_most=10_000,
    )
    label_smoothing: float = option(
        0.1,
        "Share of each label that trainings of compared networks spread over all classes.",
        at_least=0,
        at_most=0.9,
        group="Advanced",
    )
    mixup: float = option(
        0.0,
        "Trainings of compared networks blend images in pairs, by shares from Beta(mixup, mixup); 0 blends "
        "none. It pays in long trainings.",
        at_least=0,
        at_most=10,
        group="Advanced",
    )
    ema_decay: float = option(
        0.0,
        "Trainings of compared networks end with a moving average of their weights, which keeps this "
        "share of itself a step (0.99 suits 1,000 steps); 0 averages none.",
        at_least=0,
        at_most=0.99999,
        group="Advanced",
    )
    teacher: str | None = option(
        None,
        "What trainings of compared networks learn from beside the labels: the id of a finished search, "
        "whose network teaches, or a MODULE:FUNCTION that the operator lists in EDGENAS_TEACHERS.",
        group="Advanced",
    )
    teacher_weight: float = option(
        0.5, "Share of the loss that is the teacher's.", above=0, at_most=1, group="Advanced"
    )
    theta_share: float | None = option(
        None,
        "Share of the training images that train theta, while the others train weights. Left out: 29 % "
        "(15 % of all are kept for choosing).",
        above=0,
        at_most=0.9,
    )
    shortlist: ShortlistName = option(
        "decoded",
        "Networks tried out and measured: the most probable within the limits and others drawn near them, "
        "or just those that theta draws, as in the paper.",
    )
    num_samples: int = option(
        6,
        "How many networks are tried out and measured.",
        at_least=1,
        at_most=100,
    )
    compare_baselines: bool = option(
        True,
        "Also train and measure networks near the same latency that no search found: a uniform one, a "
        "random one, and that with the most multiply-accumulates.",
        flags="--baselines/--no-baselines",
    )
    deliver: DeliverName = option(
        "fp32", "int8: also export, run and measure the ONNX file with int8 kernels, quantised statically."
    )
    num_threads: int | None = option(
        None,
        "Processor threads that compute the search; with another number sums are taken in another order, "
        "and the same seed ends in another network. Left out: as many as the worker has; every step tells "
        "how many, and a resumed search keeps to it.",
        at_least=1,
        at_most=256,
    )
    snapshot: str | None = option(None, "Hash of the latency table to use; left out: the newest.")
    name: str = option("", "What people call the search; commands take it in place of the id.")
    private: bool = option(False, "Only you and administrators find the search.", flags="--private")
    mirror: bool | None = option(
        None,
        "Training mirrors images. Left out: not gray ones, nor digits, nor where mirrored images of one "
        "class are images of another.",
    )
    num_classes: int | None = option(
        None, "Search with so many classes of the data, drawn by seed.", at_least=2, flags=""
    )
    class_names: tuple[str, ...] = option((), "Search with these classes of the data.", flags="")
    conditions: Conditions | None = None
    """None: the usual ones; for a device without an agent, those of its tables, if they are alike."""
    also: tuple[DeviceTarget, ...] = ()
    """Further devices, each with its own target."""
    origin: str | None = None
    """A finished search whose effects or theta decode the networks: nothing is searched anew."""
    points: int | None = None
    """With an origin: networks of so many targets are decoded for each device."""

    def __post_init__(self) -> None:
        SearchOptions.__post_init__(self)
        require_job_name(self.name)
        if self.conditions is not None:
            object.__setattr__(self, "conditions", self.conditions.usual_unsaid())
        if len(self.also) > 7:
            raise ValueError(f"a search takes up to 8 devices, got {1 + len(self.also)}")
        if self.points is None:
            self.require_limits([self.target_ms, *(other.target_ms for other in self.also)])
        elif self.origin is None or not 2 <= self.points <= MAX_POINTS:
            raise ValueError(
                f"points must lie in 2..{MAX_POINTS} and go with an origin, a search to decode from; got "
                f"{self.points} and origin {self.origin!r}"
            )
        if self.paths == "none" and self.origin is None and self.training == "inherit":
            raise ValueError("paths 'none' trains no supernet to inherit from; use training 'scratch'")
        if self.train_epochs == 0 and self.paths != "none" and self.origin is None:
            raise ValueError(
                "train_epochs 0 trains no network, so nothing could be compared; only paths 'none' takes it"
            )
        if self.class_names and self.num_classes is not None:
            raise ValueError("give num_classes or class_names, not both")


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
    phase: Phase
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
    drawn_from: tuple[tuple[float, ...], ...] | None = None
    """Only of the last step: the probabilities, layers x candidates, that the networks of the search were
    drawn with. They are those of theta, or less decided ones, so that draws differ."""
    costs: tuple[ExpectedCost, ...] = ()
    """Every limit that the search holds, and where theta stands; only with loss ``budget``."""
    warnings: tuple[str, ...] = ()
    """Where the search does not do what was asked, with figures."""
    peak_memory_bytes: int | None = None
    """Most that the searching process had in memory so far; with ``cuda`` in that of the accelerator."""
    accelerator: str = "cpu"
    """What the epoch was computed on."""
    num_threads: int | None = None
    """Processor threads that computed it; None: recorded before this was told."""


@dataclass(frozen=True, slots=True)
class SearchCurves(Tabular):
    """The scalars of recorded steps, one list a column, thinned for a chart: where any of them is least or
    greatest in its stretch of the search stays."""

    num_steps: int
    """How many steps are recorded."""
    step: tuple[int, ...]
    epoch: tuple[int, ...]
    weight_loss: tuple[float, ...]
    theta_loss: tuple[float | None, ...]
    accuracy: tuple[float, ...]
    expected_latency_us: tuple[float, ...]
    entropy: tuple[float, ...]

    def table_rows(self) -> Iterable[object]:
        """Return a row a step."""
        names = [field.name for field in fields(self) if field.name != "num_steps"]
        columns = (getattr(self, name) for name in names)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True)
class Search(Tabular):
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
    """What it delivers: a found network, or, with role ``most_macs``, the one with the most
    multiply-accumulates within the limits, where that is more accurate on the validation split."""
    architectures: tuple[FoundArchitecture, ...] = field(default=())

    def table_rows(self) -> Iterable[object]:
        """Return the networks that it compared."""
        return self.architectures

    @property
    def found(self) -> FoundArchitecture | None:
        """What it found: its result, or, where the largest network is that, the best of the found ones."""
        if self.result is None or self.result.role != "most_macs":
            return self.result
        found = [network for network in self.architectures if network.role == "found"]
        return max(found, key=lambda network: network.validation_accuracy or 0.0, default=None)

    @property
    def table_caption(self) -> str:
        return f"{self.job.device_name} · {self.job.space} · {self.request.data} · {self.job.status}"


@dataclass(frozen=True, slots=True)
class SearchDryRun:
    """What a search would do; nothing was queued."""

    request: SearchCreate
    """With every option at its value."""
    snapshot: str
    """Hash of the latency table that it would use."""
    other_snapshots: tuple[str, ...]
    """The same for its further devices."""
    fastest_us: float
    """Predicted latency of the fastest network by the table of the first device."""
    slowest_us: float
    """... and of the slowest: a target lies between the two."""
    is_private: bool


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set that the server knows by name."""

    name: str
    num_images: int | None
    num_classes: int | None
    is_available: bool
    hint: str
    """Where it comes from, or how to get it."""
