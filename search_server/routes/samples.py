"""Samples over HTTP: the leases of a job, and every run that they gave."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from search_server.db.session import Database
from search_server.latency.formats.own_parquet import MEDIA_TYPE as PARQUET
from search_server.profiling.cell_samples import cell_samples
from search_server.profiling.cell_spreads import cell_spreads
from search_server.profiling.sample_files import sample_file
from search_server.profiling.samples import job_leases, lease_samples, measured_leases
from search_server.resources.formats import SampleFormat, TableFormat
from search_server.resources.samples import CellSamples, CellSpread, JobLease, LeaseSamples
from search_server.routes.auth import UserDep
from search_server.routes.context import DatabaseDep
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.sessions import SessionDep
from search_server.routes.transaction_route import TransactionRoute

router = APIRouter(tags=["samples"], responses=ERROR_RESPONSES, route_class=TransactionRoute)

JobQuery = Annotated[str, Query(description="id of a profile, measurement or check")]

_FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {PARQUET: {}, "text/csv": {}}, "description": "a row for each run"}
}


@router.get("/leases")
def get_leases(_: UserDep, job: JobQuery, session: SessionDep) -> tuple[JobLease, ...]:
    """List the leases that count for a job, in the order in which they were measured."""
    return job_leases(session, job)


@router.get("/leases/{lease_id}/samples", response_model=LeaseSamples, responses=_FILES)
def get_samples(
    _: UserDep,
    lease_id: str,
    session: SessionDep,
    sample_format: Annotated[
        TableFormat | None, Query(alias="format", description="`json` if not given")
    ] = None,
    accept: Annotated[str, Header()] = "application/json",
) -> LeaseSamples | Response:
    """Return every run of a lease; as a file with ``format``, or with ``Accept`` of CSV or Parquet."""
    samples = lease_samples(session, lease_id)
    wanted = accept.split(",")[0]
    if sample_format == "csv" or (sample_format is None and wanted.startswith("text/csv")):
        return _file(sample_file([samples], "csv"), "csv", lease_id)
    if sample_format == "parquet" or (sample_format is None and wanted.startswith(PARQUET)):
        return _file(sample_file([samples], "parquet"), "parquet", lease_id)
    return samples


@router.get("/latency-tables/{snapshot}/samples")
def get_cell_samples(
    _: UserDep,
    snapshot: str,
    session: SessionDep,
    layer: Annotated[str, Query(description="stem, layer01 ..., head")],
    block: Annotated[str, Query(description="the candidate; empty for stem and head")] = "",
) -> CellSamples:
    """Return what was measured of one cell of a table, run by run, and how the device was."""
    return cell_samples(session, snapshot, layer, block)


@router.get("/latency-tables/{snapshot}/spreads")
def get_cell_spreads(_: UserDep, snapshot: str, session: SessionDep) -> tuple[CellSpread, ...]:
    """Return median, minimum and percentiles of the samples of every cell of a table."""
    return cell_spreads(session, snapshot)


@router.get("/samples", response_class=Response, responses=_FILES)
def export_samples(
    _: UserDep,
    job: JobQuery,
    session: SessionDep,
    database: DatabaseDep,
    sample_format: Annotated[SampleFormat, Query(alias="format")] = "parquet",
) -> StreamingResponse:
    """Return every run of all leases of a job as one file, sent lease by lease."""
    samples = _read_one_by_one(database, measured_leases(session, job))
    return _file(sample_file(samples, sample_format), sample_format, job)


def _read_one_by_one(database: Database, lease_ids: tuple[str, ...]) -> Iterator[LeaseSamples]:
    """Yield the samples of leases; the session of the request has ended when the file is sent."""
    for lease_id in lease_ids:
        with database.reading() as session:
            samples = lease_samples(session, lease_id)
        yield samples


def _file(parts: Iterator[bytes], sample_format: SampleFormat, name: str) -> StreamingResponse:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}-samples.{sample_format}"',
        "X-Content-Type-Options": "nosniff",
    }
    media_type = PARQUET if sample_format == "parquet" else "text/csv; charset=utf-8"
    return StreamingResponse(parts, media_type=media_type, headers=headers)
