"""The tables, one ``*Row`` class each.

Measurements are appended and never updated: results, measured latencies and latency tables. Messages
of :mod:`shared` and resources are stored as the JSON of :mod:`shared.protocol.wire`.
"""

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from search_server.db.base import Base, Identifier, Word
from search_server.resources.jobs import JobKind, JobStatus
from search_server.resources.tables import Reason
from shared.runtimes import ArtifactFormat

SHARED = "shared"
"""The user of tokens that were made for nobody in particular, and of all that was there before users."""

Owner = Annotated[str, mapped_column(Identifier, server_default=SHARED)]
"""The name of the user whom a row belongs to."""


class UserRow(Base):
    """A person or a robot: whom tokens, jobs, tables, devices and models belong to."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(Identifier, primary_key=True)
    is_robot: Mapped[bool] = mapped_column(Boolean, default=False)
    is_admin: Mapped[bool] = mapped_column(Boolean, default=False)
    """May have tokens of scope admin."""
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class TokenRow(Base):
    """A bearer token; its secret is stored as SHA-256 only."""

    __tablename__ = "tokens"

    token_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    scope: Mapped[str] = mapped_column(Word)
    owner: Mapped[Owner]
    secret_sha256: Mapped[str] = mapped_column(String(64))
    device_id: Mapped[str | None] = mapped_column(ForeignKey("devices.device_id"), index=True)
    parent_token_id: Mapped[str | None] = mapped_column(Identifier, index=True, unique=True)
    """The enrolment token, or the credential before it, that a device's credential was had with."""
    made_with: Mapped[str | None] = mapped_column(Identifier, index=True)
    """The token with which a person asked for this one."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    """When a single-use token was spent."""
    last_used_at: Mapped[datetime | None]


class DeviceRow(Base):
    """A device that enrolled, or one that an imported table speaks of."""

    __tablename__ = "devices"
    __table_args__ = (
        Index(
            "uq_devices_name_present",
            "name",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    device_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    owner: Mapped[Owner]
    """Who made the token that it enrolled with, or imported the first table of it."""
    facts: Mapped[dict[str, Any]]
    """``shared.protocol.device.Device``."""
    is_imported: Mapped[bool] = mapped_column(Boolean, default=False)
    agent_url: Mapped[str | None] = mapped_column(String(500))
    agent_token: Mapped[str | None] = mapped_column(String(500))
    """What the server shows to an agent that it calls; never answered by any route."""
    environment: Mapped[dict[str, Any] | None]
    enrolled_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    waiting_for: Mapped[str] = mapped_column(String(200), default="", server_default="")
    """What its owner's conditions lack for a lease; empty: nothing."""
    should_rotate: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """Asked to renew its credential."""
    should_upgrade: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """Asked to take the server's agent."""
    upgrade_failure: Mapped[str] = mapped_column(String(500), default="", server_default="")
    """Why the last upgrade that was asked for did not succeed."""


class DeviceTagRow(Base):
    """A word that a device carries, by which several are chosen at once."""

    __tablename__ = "device_tags"

    device_id: Mapped[str] = mapped_column(ForeignKey("devices.device_id"), primary_key=True)
    tag: Mapped[str] = mapped_column(Word, primary_key=True, index=True)


class ArtifactRow(Base):
    """A model file; its bytes lie in the data folder."""

    __tablename__ = "artifacts"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[ArtifactFormat] = mapped_column(Word)
    created_at: Mapped[datetime]


class ModelRow(Base):
    """A model file that somebody brought, under a name; its bytes are an artifact."""

    __tablename__ = "models"
    __table_args__ = (
        Index(
            "uq_models_name_present",
            "name",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    model_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    owner: Mapped[Owner]
    sha256: Mapped[str] = mapped_column(ForeignKey("artifacts.sha256"), index=True)
    facts: Mapped[dict[str, Any]]
    """The ``ModelFacts``."""
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class JobRow(Base):
    """Long work: a profile, a measurement, a check, a search, a model's measurement or a gate."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("token_id", "idempotency_key"),
        Index("ix_jobs_kind_status", "kind", "status"),
    )

    job_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    kind: Mapped[JobKind] = mapped_column(Word)
    status: Mapped[JobStatus] = mapped_column(Word, default="queued")
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.device_id"), index=True)
    space: Mapped[str] = mapped_column(String(500))
    conditions: Mapped[dict[str, Any]]
    conditions_key: Mapped[str] = mapped_column(Word)
    request: Mapped[dict[str, Any]]
    """The resource that asked for the job."""
    result: Mapped[dict[str, Any] | None]
    snapshot: Mapped[str | None] = mapped_column(Word)
    """The latency table that a profile made, a check looks at or a search used."""
    other_snapshots: Mapped[list[Any]] = mapped_column(JSON, default=list)
    """The tables of the further devices of a search."""
    stage: Mapped[str] = mapped_column(String(200), default="")
    message: Mapped[str] = mapped_column(Text, default="")
    progress: Mapped[float] = mapped_column(default=0.0)
    parent_job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.job_id"), index=True)
    owner: Mapped[Owner] = mapped_column(index=True)
    is_private: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """Read by its owner and administrators alone: ``db/visibility.py``."""
    name: Mapped[str] = mapped_column(String(100), default="", server_default="", index=True)
    """What people call it; several may have the same."""
    note: Mapped[str] = mapped_column(Text, default="", server_default="")
    token_id: Mapped[str | None] = mapped_column(ForeignKey("tokens.token_id"))
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    worker_id: Mapped[str | None] = mapped_column(Identifier)
    worker_expires_at: Mapped[datetime | None]
    num_windows: Mapped[int] = mapped_column(default=0)
    """How many leases a profile or measurement is expected to take: the measure of its progress."""
    attempt: Mapped[int] = mapped_column(default=0)
    """How often a worker has taken the job since it last got on."""
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class LeaseRow(Base):
    """Permission and order to measure; a device holds at most one at a time."""

    __tablename__ = "leases"
    __table_args__ = (
        Index(
            "uq_leases_device_id_leased",
            "device_id",
            unique=True,
            sqlite_where=text("status = 'leased'"),
            postgresql_where=text("status = 'leased'"),
        ),
        Index("ix_leases_status_device_id", "status", "device_id"),
    )

    lease_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.job_id"), index=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.device_id"))
    group_index: Mapped[int]
    """Leases of one group measure the same items, and their results are read together."""
    status: Mapped[str] = mapped_column(Word, default="pending")
    """pending | leased | done | expired | cancelled."""
    fence: Mapped[int] = mapped_column(default=0)
    """Rises with every hand-out, so it also counts them."""
    num_given_back: Mapped[int] = mapped_column(default=0, server_default="0")
    """Hand-outs that an agent gave back because it was told to stop."""
    ttl_s: Mapped[float]
    expires_at: Mapped[datetime | None]
    progress: Mapped[float] = mapped_column(default=0.0)
    device_s: Mapped[float] = mapped_column(default=0.0)
    """Time that the lease took on the device, as told by the agent."""
    items: Mapped[list[Any]] = mapped_column(JSON)
    policy: Mapped[dict[str, Any]]
    conditions: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    leased_at: Mapped[datetime | None]
    """The last hand-out; None before the first one and after it was given back."""
    finished_at: Mapped[datetime | None]


class LeaseArtifactRow(Base):
    """Which model files a lease names: the only ones that its device may fetch."""

    __tablename__ = "lease_artifacts"

    lease_id: Mapped[str] = mapped_column(ForeignKey("leases.lease_id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("artifacts.sha256"), primary_key=True, index=True)


class ResultRow(Base):
    """What measuring one item gave, as it arrived."""

    __tablename__ = "results"
    __table_args__ = (UniqueConstraint("lease_id", "fence", "item_id"),)

    result_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    lease_id: Mapped[str] = mapped_column(ForeignKey("leases.lease_id"))
    fence: Mapped[int]
    item_id: Mapped[str] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(Word)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """The ``Result`` as JSON, compressed with zlib."""
    body_sha256: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """Of ``body``, checked whenever it is read."""
    summary: Mapped[dict[str, Any] | None]
    """What is left of the samples once they were compacted: a ``SampleSummary``; then ``body`` has none."""
    received_at: Mapped[datetime]


class MeasuredNodeRow(Base):
    """One node of a network's graph in one window for SQL; written when its lease is done.

    The view ``node_latencies`` shows it with the job, lease and item that its result belongs to.
    """

    __tablename__ = "measured_nodes"

    result_id: Mapped[int] = mapped_column(
        ForeignKey("results.result_id", ondelete="CASCADE"), primary_key=True
    )
    node_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Place in the graph, from 0."""
    node: Mapped[str] = mapped_column(Text)
    op_type: Mapped[str] = mapped_column(Text)
    segment: Mapped[str] = mapped_column(Text)
    """Empty in a model file that somebody brought."""
    shapes: Mapped[str] = mapped_column(Text, server_default="")
    """Of its inputs and outputs, such as ``1x3x32x32 -> 1x8x32x32``; empty if the agent does not tell."""
    num_runs: Mapped[int]
    median_us: Mapped[float]
    q10_us: Mapped[float]
    q90_us: Mapped[float]


class WorkerRow(Base):
    """A process that runs searches."""

    __tablename__ = "workers"

    worker_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    """Exact to ten seconds."""


class LatencyTableRow(Base):
    """A latency-table snapshot."""

    __tablename__ = "latency_tables"
    __table_args__ = (Index("ix_latency_tables_device_space", "device_id", "space", "conditions_key"),)

    table_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    snapshot: Mapped[str] = mapped_column(Word, unique=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.device_id"))
    space: Mapped[str] = mapped_column(String(500))
    runtime: Mapped[str] = mapped_column(Word)
    conditions_key: Mapped[str] = mapped_column(Word)
    content: Mapped[str] = mapped_column(Text)
    """``LatencyTable.to_json()``."""
    is_accepted: Mapped[bool]
    anchor_us: Mapped[float]
    source: Mapped[str] = mapped_column(String(200))
    owner: Mapped[Owner]
    is_private: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.job_id"), index=True)
    """The profile or check that made it; none for an import or a recalibration."""
    reason: Mapped[Reason] = mapped_column(Word)
    parent: Mapped[str | None] = mapped_column(Word, index=True)
    change: Mapped[str] = mapped_column(Text)
    """With ``reason`` and ``parent`` the ``Lineage``; no part of the hashed content."""
    warnings: Mapped[list[Any]] = mapped_column(JSON)
    """Sentences on what is odd about an imported table; not part of the content that the hash names."""
    created_at: Mapped[datetime]


class LatencyEntryRow(Base):
    """One cell of a snapshot for SQL; written with the snapshot, whose ``content`` says the same."""

    __tablename__ = "latency_entries"

    snapshot: Mapped[str] = mapped_column(
        ForeignKey("latency_tables.snapshot", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """0 is the stem, then layer by layer the candidates in the order of the space; the head is last."""
    layer: Mapped[str] = mapped_column(Text)
    block: Mapped[str] = mapped_column(Text)
    """Empty for stem and head."""
    segment_key: Mapped[str] = mapped_column(Word)
    """Alike in cells that compute the same."""
    latency_us: Mapped[float | None]
    sigma_us: Mapped[float | None]
    num_samples: Mapped[int]
    status: Mapped[str] = mapped_column(Word)
    """ok | missing | identity, or what else an entry's status says."""


class TableCheckRow(Base):
    """What one check found about a snapshot; the newest one tells whether the snapshot is stale."""

    __tablename__ = "table_checks"

    check_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.job_id"), unique=True)
    snapshot: Mapped[str] = mapped_column(ForeignKey("latency_tables.snapshot"), index=True)
    body: Mapped[dict[str, Any]]
    """The ``Drift``."""


class MeasuredLatencyRow(Base):
    """The latency of a whole network, as measured by one job."""

    __tablename__ = "measured_latencies"
    __table_args__ = (Index("ix_measured_latencies_device_space", "device_id", "space"),)

    measured_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.job_id"), index=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.device_id"))
    space: Mapped[str] = mapped_column(String(500))
    conditions_key: Mapped[str] = mapped_column(Word)
    snapshot: Mapped[str | None] = mapped_column(Word)
    """The table whose level ``latency_us`` has."""
    body: Mapped[dict[str, Any]]
    """The ``MeasuredLatency``."""


class ModelLatencyRow(Base):
    """The latency of a model file, as measured by one job; its nodes are in ``node_latencies``."""

    __tablename__ = "model_latencies"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.job_id"), primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("models.model_id"), index=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.device_id"))
    conditions_key: Mapped[str] = mapped_column(Word)
    latency_us: Mapped[float]
    low_us: Mapped[float]
    high_us: Mapped[float]
    anchor_us: Mapped[float]
    profiled_us: Mapped[float | None]
    """Of a whole run under the runtime's profiler; None if it has none."""
    body: Mapped[dict[str, Any]]
    """The ``ModelLatency``."""


class SearchStepRow(Base):
    """One recorded step of a search."""

    __tablename__ = "search_steps"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.job_id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[dict[str, Any]]


class SearchArchitectureRow(Base):
    """A network that a search compared."""

    __tablename__ = "search_architectures"
    __table_args__ = (UniqueConstraint("job_id", "role", "architecture"),)

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.job_id"))
    role: Mapped[str] = mapped_column(Word)
    architecture: Mapped[str] = mapped_column(Text)
    body: Mapped[dict[str, Any]]


class AuditRow(Base):
    """A changing request or command; added, never changed: the database refuses anything else."""

    __tablename__ = "audit"

    audit_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    user: Mapped[str] = mapped_column(Identifier, index=True)
    token_id: Mapped[str | None] = mapped_column(Identifier)
    scope: Mapped[str] = mapped_column(Word)
    action: Mapped[str] = mapped_column(String(200))
    subject: Mapped[str] = mapped_column(String(500))
    status: Mapped[int]
    address: Mapped[str] = mapped_column(String(100))
    request_id: Mapped[str | None] = mapped_column(Identifier)


TABLES = Base.metadata
"""All of the above: what the migrations must give."""
