"""The REST interface as data: one function a route returns the request and the type of its answer.

Nothing here talks to a network. :mod:`search_server.client.search_client` sends what these functions
describe, blocking or not, so that each route stands once.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeVar
from urllib.parse import quote

from search_server.resources.audit import AuditEntry
from search_server.resources.checks import Recalibration, TableCheck
from search_server.resources.devices import (
    DeviceResource,
    DeviceTrend,
    DeviceUpdate,
    Enrolment,
    InstallCommand,
)
from search_server.resources.formats import ExportFormat, ImportFormat, SampleFormat, TableFormat
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.fronts import FrontCreate, RetargetCreate
from search_server.resources.gates import Gate, GateCreate
from search_server.resources.ids import IdKind, KnownId
from search_server.resources.jobs import Job, JobUpdate
from search_server.resources.latencies import (
    Measurement,
    MeasurementCreate,
    NamedPrediction,
    Prediction,
    PredictionCreate,
)
from search_server.resources.model_comparison import ModelComparison
from search_server.resources.models import (
    Model,
    ModelCreate,
    ModelMeasurement,
    ModelMeasurementCreate,
    ModelUpload,
)
from search_server.resources.page import Page
from search_server.resources.samples import CellSamples, CellSpread, JobLease, LeaseSamples
from search_server.resources.searches import (
    DataSet,
    Search,
    SearchCreate,
    SearchCurves,
    SearchDryRun,
    SearchStep,
)
from search_server.resources.tables import Profile, ProfileCreate, Table, TableDiff, TableSummary
from search_server.search_options import DeliverName
from shared.protocol.device import Conditions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One request and the type of its answer; ``bytes`` takes the answer as it is."""

    answer: type[T]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    """Below ``/api/v1``."""
    params: Mapping[str, str] = field(default_factory=dict)
    body: object | None = None
    """A resource to send as JSON, or the bytes of a file."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def at_cursor(self, cursor: str | None) -> "Request[T]":
        """Return the same request for the page of a list that a cursor opens."""
        return self if cursor is None else replace(self, params={**self.params, "cursor": cursor})


@dataclass(frozen=True, slots=True)
class EventStream(Generic[T]):
    """A stream of server-sent events: the type of each event by name, and which one ends it."""

    path: str
    kinds: Mapping[str, type[T]]
    is_last: Callable[[T], bool]


def devices(tag: str | None = None, owner: str | None = None) -> Request[Page[DeviceResource]]:
    """All devices that are not removed, or those of them that carry a tag or are of an owner (``me``)."""
    return Request(Page[DeviceResource], "GET", "/devices", _query(tag=tag, owner=owner))


def device(device: str) -> Request[DeviceResource]:
    """One device, by id or name."""
    return Request(DeviceResource, "GET", _path("devices", device))


def install_command() -> Request[InstallCommand]:
    """The line that puts the agent on a device."""
    return Request(InstallCommand, "GET", "/install")


def enrolment() -> Request[Enrolment]:
    """A fresh enrolment token of the caller, and the lines for devices that use it."""
    return Request(Enrolment, "POST", "/enrolments")


def device_trend(device: str, windows: int = 40) -> Request[DeviceTrend]:
    """A device's canary and temperature in the newest windows that it measured."""
    return Request(DeviceTrend, "GET", _path("devices", device, "trend"), {"windows": str(windows)})


def update_device(device: str, update: DeviceUpdate) -> Request[DeviceResource]:
    """Change a device's name, address or tags."""
    return Request(DeviceResource, "PATCH", _path("devices", device), body=update)


def rotate_credential(device: str) -> Request[DeviceResource]:
    """Let a device renew its credential when it next calls."""
    return Request(DeviceResource, "POST", _path("devices", device, "rotate"))


def upgrade_agent(device: str) -> Request[DeviceResource]:
    """Let a device take the server's own agent when it next calls, if its owner allowed that."""
    return Request(DeviceResource, "POST", _path("devices", device, "upgrade"))


def remove_device(device: str) -> Request[bytes]:
    """Revoke a device's credential and take it off the list; its measurements stay."""
    return Request(bytes, "DELETE", _path("devices", device))


def start_profile(create: ProfileCreate) -> Request[Profile]:
    """Start measuring what a latency table lacks."""
    return _creating(Profile, "/profiles", create)


def profiles(device: str | None = None, owner: str | None = None) -> Request[Page[Profile]]:
    """Profile jobs, newest first; owner ``me``: the caller's."""
    return Request(Page[Profile], "GET", "/profiles", _query(device=device, owner=owner))


def cancel_profile(job_id: str) -> Request[Profile]:
    """Stop measuring; what was measured stays."""
    return Request(Profile, "POST", _path("profiles", job_id, "cancel"))


def profile(job_id: str) -> Request[Profile]:
    """A profile job as it stands."""
    return Request(Profile, "GET", _path("profiles", job_id))


def profile_events(job_id: str) -> EventStream[Profile]:
    """A profile job each time that it changes."""
    return EventStream(_path("profiles", job_id, "events"), {"job": Profile}, lambda p: has_ended(p.job))


def tables(
    device: str | None = None,
    space: str | None = None,
    runtime: str | None = None,
    owner: str | None = None,
) -> Request[Page[TableSummary]]:
    """Latency-table snapshots, newest first; owner ``me``: the caller's."""
    params = _query(device=device, space=space, runtime=runtime, owner=owner)
    return Request(Page[TableSummary], "GET", "/latency-tables", params)


def table(snapshot: str) -> Request[Table]:
    """One snapshot with its cells."""
    return Request(Table, "GET", _path("latency-tables", snapshot))


def export_table(snapshot: str, table_format: TableFormat) -> Request[bytes]:
    """One snapshot as a file that :func:`import_table` takes; CSV lacks the verdict."""
    return Request(bytes, "GET", _path("latency-tables", snapshot), {"format": table_format})


def leases(job_id: str) -> Request[tuple[JobLease, ...]]:
    """The leases that count for a job, in the order in which they were measured."""
    return Request(tuple[JobLease, ...], "GET", "/leases", {"job": job_id})


def samples(lease_id: str) -> Request[LeaseSamples]:
    """All runs of all networks of one lease, and the times of their nodes."""
    return Request(LeaseSamples, "GET", _path("leases", lease_id, "samples"))


def cell_samples(snapshot: str, layer: str, block: str = "") -> Request[CellSamples]:
    """What was measured of one cell of a table, run by run; stem and head have an empty block."""
    path = _path("latency-tables", snapshot, "samples")
    return Request(CellSamples, "GET", path, {"layer": layer, "block": block})


def cell_spreads(snapshot: str) -> Request[tuple[CellSpread, ...]]:
    """Median, minimum and percentiles of the samples of every cell of a table."""
    return Request(tuple[CellSpread, ...], "GET", _path("latency-tables", snapshot, "spreads"))


def export_samples(job_id: str, sample_format: SampleFormat = "parquet") -> Request[bytes]:
    """The samples of all leases of a job as one file, in parts."""
    return Request(bytes, "GET", "/samples", {"job": job_id, "format": sample_format})


def table_diff(snapshot_a: str, snapshot_b: str) -> Request[TableDiff]:
    """Two snapshots of one space, entry by entry."""
    return Request(TableDiff, "GET", _path("latency-tables", snapshot_a, "diff", snapshot_b))


def table_networks(snapshot: str) -> Request[tuple[NamedPrediction, ...]]:
    """What a snapshot predicts of the networks that have a name."""
    return Request(tuple[NamedPrediction, ...], "GET", _path("latency-tables", snapshot, "networks"))


def check_table(snapshot: str, private: bool = False) -> Request[TableCheck]:
    """Start checking whether a device still is as a table says."""
    creating = _creating(TableCheck, _path("latency-tables", snapshot, "checks"))
    return replace(creating, params=_private(private))


def checks(snapshot: str | None = None, owner: str | None = None) -> Request[Page[TableCheck]]:
    """Check jobs, newest first; owner ``me``: the caller's."""
    return Request(Page[TableCheck], "GET", "/checks", _query(snapshot=snapshot, owner=owner))


def check(job_id: str) -> Request[TableCheck]:
    """A check job as it stands."""
    return Request(TableCheck, "GET", _path("checks", job_id))


def cancel_check(job_id: str) -> Request[TableCheck]:
    """Stop a check."""
    return Request(TableCheck, "POST", _path("checks", job_id, "cancel"))


def check_events(job_id: str) -> EventStream[TableCheck]:
    """A check job each time that it changes."""
    return EventStream(_path("checks", job_id, "events"), {"job": TableCheck}, lambda c: has_ended(c.job))


def recalibrate_table(snapshot: str, private: bool = False) -> Request[Recalibration]:
    """Store a new snapshot: the entries times the one factor that measured networks ask for."""
    path = _path("latency-tables", snapshot, "recalibrations")
    return Request(Recalibration, "POST", path, _private(private))


def import_table(
    content: bytes,
    table_format: ImportFormat,
    device: str,
    space: str | None = None,
    conditions: Conditions | None = None,
    private: bool = False,
) -> Request[Table]:
    """Store a table that another program wrote; a new device name adds a device without an agent."""
    params = _query(
        format=table_format, device=device, space=space, **_told(conditions), **_private(private)
    )
    return Request(Table, "POST", "/latency-tables/import", params, content)


def import_measurements(
    content: bytes,
    device: str,
    space: str,
    conditions: Conditions | None = None,
    private: bool = False,
) -> Request[Measurement]:
    """Store whole networks that another program measured, from a CSV of architecture and latency_ms."""
    params = _query(device=device, space=space, **_told(conditions), **_private(private))
    return Request(Measurement, "POST", "/measurements/import", params, content)


def predict(create: PredictionCreate) -> Request[tuple[Prediction, ...]]:
    """Predict the latency of whole networks from a table."""
    return Request(tuple[Prediction, ...], "POST", "/predictions", body=create)


def start_measurement(create: MeasurementCreate) -> Request[Measurement]:
    """Start measuring whole networks on a device."""
    return _creating(Measurement, "/measurements", create)


def measurements(
    device: str | None = None, space: str | None = None, owner: str | None = None
) -> Request[Page[Measurement]]:
    """Measurement jobs, newest first; owner ``me``: the caller's."""
    params = _query(device=device, space=space, owner=owner)
    return Request(Page[Measurement], "GET", "/measurements", params)


def measurement(job_id: str) -> Request[Measurement]:
    """A measurement job as it stands."""
    return Request(Measurement, "GET", _path("measurements", job_id))


def cancel_measurement(job_id: str) -> Request[Measurement]:
    """Stop measuring."""
    return Request(Measurement, "POST", _path("measurements", job_id, "cancel"))


def measurement_events(job_id: str) -> EventStream[Measurement]:
    """A measurement job each time that it changes."""
    return EventStream(
        _path("measurements", job_id, "events"), {"job": Measurement}, lambda m: has_ended(m.job)
    )


def update_job(job_id: str, change: JobUpdate) -> Request[Job]:
    """Change the name or the note of a job of any kind."""
    return Request(Job, "PATCH", _path("jobs", job_id), body=change)


def try_search(create: SearchCreate) -> Request[SearchDryRun]:
    """Check a search as if it was started, and learn what it would do; nothing is queued."""
    return Request(SearchDryRun, "POST", "/searches/dry-run", body=create)


def start_search(create: SearchCreate) -> Request[Search]:
    """Queue a search."""
    return _creating(Search, "/searches", create)


def front(job_id: str, create: FrontCreate) -> Request[Search]:
    """Queue the decoding of networks over a range of targets from a finished search."""
    return _creating(Search, _path("searches", job_id, "front"), create)


def retarget(job_id: str, create: RetargetCreate) -> Request[Search]:
    """Queue the decoding of one network for another target or device from a finished search."""
    return _creating(Search, _path("searches", job_id, "retarget"), create)


def searches(owner: str | None = None) -> Request[Page[Search]]:
    """Searches, newest first; owner ``me``: the caller's."""
    return Request(Page[Search], "GET", "/searches", _query(owner=owner))


def search(job_id: str) -> Request[Search]:
    """A search as it stands."""
    return Request(Search, "GET", _path("searches", job_id))


def search_steps(job_id: str) -> Request[Page[SearchStep]]:
    """The recorded steps of a search, in order."""
    return Request(Page[SearchStep], "GET", _path("searches", job_id, "steps"))


def search_curves(job_id: str, points: int = 600) -> Request[SearchCurves]:
    """The scalars of a search's steps, thinned to at most so many."""
    path = _path("searches", job_id, "curves")
    return Request(SearchCurves, "GET", path, params={"points": str(points)})


def search_architectures(job_id: str) -> Request[tuple[FoundArchitecture, ...]]:
    """The networks that a search compared."""
    return Request(tuple[FoundArchitecture, ...], "GET", _path("searches", job_id, "architectures"))


def search_events(job_id: str) -> EventStream[Search | SearchStep]:
    """A search each time that it changes, and every recorded step."""
    return EventStream(
        _path("searches", job_id, "events"),
        {"search": Search, "step": SearchStep},
        lambda event: isinstance(event, Search) and has_ended(event.job),
    )


def cancel_search(job_id: str) -> Request[Search]:
    """Stop a search at its next step."""
    return Request(Search, "POST", _path("searches", job_id, "cancel"))


def resume_search(job_id: str) -> Request[Search]:
    """Queue a failed or cancelled search again, from its last checkpoint."""
    return Request(Search, "POST", _path("searches", job_id, "resume"))


def export_search(
    job_id: str, search_format: ExportFormat = "onnx", dtype: DeliverName = "fp32"
) -> Request[bytes]:
    """The delivered network as a file."""
    return Request(
        bytes, "GET", _path("searches", job_id, "export"), {"format": search_format, "dtype": dtype}
    )


def audit(
    user: str | None = None,
    subject: str | None = None,
    since: str | None = None,
    until: str | None = None,
    status: int | None = None,
) -> Request[Page[AuditEntry]]:
    """Who changed what, newest first; for administrators."""
    answer = None if status is None else str(status)
    params = _query(user=user, subject=subject, since=since, until=until, status=answer)
    return Request(Page[AuditEntry], "GET", "/audit", params)


def known_ids(part: str, kind: IdKind) -> Request[tuple[KnownId, ...]]:
    """Ids that begin or end with a part of at least four characters, the newest first."""
    return Request(tuple[KnownId, ...], "GET", _path("ids", part), {"kind": kind})


def data_sets() -> Request[tuple[DataSet, ...]]:
    """Data sets that the server knows by name."""
    return Request(tuple[DataSet, ...], "GET", "/data")


def model_upload(sha256: str) -> Request[ModelUpload]:
    """How much of a model file the server has."""
    return Request(ModelUpload, "GET", _path("models", "uploads", sha256))


def send_model_part(sha256: str, offset: int, content: bytes) -> Request[ModelUpload]:
    """Send a part of a model file, which is named by the SHA-256 of all its bytes."""
    return Request(ModelUpload, "PUT", _path("models", "uploads", sha256), {"offset": str(offset)}, content)


def add_model(create: ModelCreate) -> Request[Model]:
    """Have a model file whose parts have been sent checked and kept under a name."""
    return Request(Model, "POST", "/models", body=create)


def models(owner: str | None = None) -> Request[Page[Model]]:
    """Model files of one's own, newest first; owner ``me``: the caller's."""
    return Request(Page[Model], "GET", "/models", _query(owner=owner))


def model(model: str) -> Request[Model]:
    """One model, by name, id or SHA-256."""
    return Request(Model, "GET", _path("models", model))


def remove_model(model: str) -> Request[bytes]:
    """Take a model off the list, and its file from the server's disk; its measurements stay."""
    return Request(bytes, "DELETE", _path("models", model))


def start_model_measurement(model: str, create: ModelMeasurementCreate) -> Request[ModelMeasurement]:
    """Start measuring a model on a device."""
    return _creating(ModelMeasurement, _path("models", model, "measurements"), create)


def model_measurements(model: str) -> Request[Page[ModelMeasurement]]:
    """The measurements of a model, newest first, without their nodes."""
    return Request(Page[ModelMeasurement], "GET", _path("models", model, "measurements"))


def model_measurement(model: str, job_id: str) -> Request[ModelMeasurement]:
    """A measurement of a model with all of its nodes."""
    return Request(ModelMeasurement, "GET", _path("models", model, "measurements", job_id))


def cancel_model_measurement(model: str, job_id: str) -> Request[ModelMeasurement]:
    """Stop measuring a model."""
    return Request(ModelMeasurement, "POST", _path("models", model, "measurements", job_id, "cancel"))


def model_measurement_events(model: str, job_id: str) -> EventStream[ModelMeasurement]:
    """A measurement of a model each time that it changes."""
    path = _path("models", model, "measurements", job_id, "events")
    return EventStream(path, {"job": ModelMeasurement}, lambda m: has_ended(m.job))


def export_model_measurement(model: str, job_id: str, table_format: TableFormat = "csv") -> Request[bytes]:
    """The nodes of a measured model as a file, a row each."""
    path = _path("models", model, "measurements", job_id, "export")
    return Request(bytes, "GET", path, {"format": table_format})


def compare_models(job_a: str, job_b: str) -> Request[ModelComparison]:
    """Two measurements of models side by side."""
    return Request(ModelComparison, "GET", "/models/compare", {"a": job_a, "b": job_b})


def start_gate(create: GateCreate) -> Request[Gate]:
    """Start comparing a new model with an old one."""
    return _creating(Gate, "/gates", create)


def gates() -> Request[Page[Gate]]:
    """Gates, newest first."""
    return Request(Page[Gate], "GET", "/gates")


def gate(job_id: str) -> Request[Gate]:
    """A gate as it stands."""
    return Request(Gate, "GET", _path("gates", job_id))


def cancel_gate(job_id: str) -> Request[Gate]:
    """Stop comparing."""
    return Request(Gate, "POST", _path("gates", job_id, "cancel"))


def gate_events(job_id: str) -> EventStream[Gate]:
    """A gate each time that it changes."""
    return EventStream(_path("gates", job_id, "events"), {"job": Gate}, lambda g: has_ended(g.job))


def has_ended(job: Job) -> bool:
    """Return whether a job will not change any more."""
    return job.status in ("done", "failed", "cancelled")


def _path(*parts: str) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _told(conditions: Conditions | None) -> dict[str, str]:
    """Return as parameters what an import tells of conditions."""
    if conditions is None:
        return {}
    return {
        "runtime": conditions.runtime,
        "threads": str(conditions.threads),
        "dtype": conditions.dtype,
        "batch": str(conditions.batch),
        "accelerator": conditions.accelerator,
    }


def _private(is_private: bool) -> dict[str, str]:
    return {"private": "true"} if is_private else {}


def _query(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _creating(answer: type[T], path: str, body: object | None = None) -> Request[T]:
    return Request(answer, "POST", path, body=body, headers={"Idempotency-Key": uuid.uuid4().hex})
