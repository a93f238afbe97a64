"""Latency tables and predictions over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from search_server.devices.registry import find_device
from search_server.errors import TooManyRequestsError, refusing_values
from search_server.latency.diff import diff_tables
from search_server.latency.formats.own_csv import to_csv
from search_server.latency.formats.own_parquet import MEDIA_TYPE as PARQUET
from search_server.latency.formats.own_parquet import to_parquet
from search_server.latency.known_networks import named_predictions
from search_server.latency.stored.imports import import_table
from search_server.latency.stored.predictions import predict, predict_from
from search_server.latency.stored.recalibrations import recalibrate_table
from search_server.latency.stored.snapshots import load_table
from search_server.latency.stored.table_resources import list_tables, table_resource
from search_server.resources.checks import Recalibration
from search_server.resources.formats import ImportFormat, TableFormat
from search_server.resources.latencies import NamedPrediction, Prediction, PredictionCreate
from search_server.resources.page import Page
from search_server.resources.tables import Table, TableDiff, TableSummary
from search_server.routes.auth import OwnerFilterDep, PrivateQuery, UserDep
from search_server.routes.context import ContextDep, CursorQuery, LimitQuery, NowDep
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.sessions import SessionDep
from search_server.routes.transaction_route import TransactionRoute
from shared.protocol.device import Conditions
from shared.search_space import search_space

router = APIRouter(responses=ERROR_RESPONSES, route_class=TransactionRoute)


@router.get("/latency-tables", tags=["latency tables"])
def get_tables(
    _: UserDep,
    owner: OwnerFilterDep,
    session: SessionDep,
    device: Annotated[str | None, Query(description="id or name")] = None,
    space: str | None = None,
    runtime: str | None = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 50,
) -> Page[TableSummary]:
    """List snapshots, newest first."""
    device_id = find_device(session, device).device_id if device else None
    with refusing_values("query.space"):
        name = search_space(space).name if space else None
    return list_tables(session, cursor, limit, device_id, name, runtime, owner)


async def _raw_body(request: Request) -> bytes:
    return await request.body()


def raw_body(
    caller: UserDep, context: ContextDep, now: NowDep, content: Annotated[bytes, Depends(_raw_body)]
) -> bytes:
    """Return the body of an import as it came.

    Raises:
        TooManyRequestsError: the caller's user has sent as many bytes as the limit allows.
    """
    wait_s = 0 if caller.is_admin else context.imports.take(caller.owner, len(content), now)
    if wait_s:
        raise TooManyRequestsError(
            "too_many_bytes",
            f"user {caller.owner} has sent {context.imports.amount:,.0f} bytes of files within an hour, as "
            f"many as EDGENAS_MAX_IMPORT_BYTES_PER_HOUR allows; come again in {wait_s} s",
            wait_s,
        )
    return content


def told_conditions(
    runtime: Annotated[str | None, Query(description="what ran, where the file does not tell")] = None,
    threads: int = 1,
    dtype: Annotated[str, Query(description="such as fp16; others than agents measure in too")] = "fp32",
    batch: Annotated[int, Query(description="images a run")] = 1,
    accelerator: Annotated[str, Query(description="a label such as Adreno 640; empty: the CPU")] = "",
) -> Conditions | None:
    """Return under which conditions an import's sender says that its file was measured, if at all."""
    with refusing_values("query.runtime"):
        conditions = Conditions(runtime or "other", threads, dtype, batch, accelerator=accelerator)
        if runtime is None and conditions != Conditions("other"):
            raise ValueError(f"{conditions} needs a runtime too; name what ran, such as runtime=openvino")
        return conditions if runtime else None


@router.post(
    "/latency-tables/import",
    tags=["latency tables"],
    status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
def post_import(
    caller: UserDep,
    session: SessionDep,
    now: NowDep,
    content: Annotated[bytes, Depends(raw_body)],
    device: Annotated[str, Query(description="id or name; a new name adds a device without an agent")],
    conditions: Annotated[Conditions | None, Depends(told_conditions)],
    import_format: Annotated[ImportFormat, Query(alias="format")] = "json",
    space: Annotated[
        str | None,
        Query(description="needed for plain-csv, ofa-yaml and mobile-vision-jsonl, which do not tell it"),
    ] = None,
    private: PrivateQuery = False,
) -> Table:
    """Store a table that another program wrote; the same content is kept once."""
    ownership = caller.owning(private)
    return import_table(session, content, import_format, device, space, now, conditions, ownership)


@router.get(
    "/latency-tables/{snapshot}",
    tags=["latency tables"],
    response_model=Table,
    responses={
        200: {"content": {"text/csv": {}, PARQUET: {}}, "description": "the table, or with `format` a file"}
    },
)
def get_table(
    _: UserDep,
    snapshot: str,
    session: SessionDep,
    table_format: Annotated[
        TableFormat | None,
        Query(alias="format", description="a file that import takes; `csv` lacks the verdict"),
    ] = None,
    accept: Annotated[str, Header()] = "application/json",
) -> Table | Response:
    """Return a snapshot with its cells; as a file with ``format``, or with ``Accept`` of CSV or Parquet."""
    wanted = accept.split(",")[0]
    if table_format == "json":
        return _file(load_table(session, snapshot).to_json(), "application/json", f"{snapshot}.json")
    table = table_resource(session, snapshot)
    if table_format == "csv" or (table_format is None and wanted.startswith("text/csv")):
        csv = to_csv(table, load_table(session, snapshot))
        return _file(csv, "text/csv; charset=utf-8", f"{snapshot}.csv")
    if table_format == "parquet" or wanted.startswith(PARQUET):
        return _file(to_parquet(table, load_table(session, snapshot)), PARQUET, f"{snapshot}.parquet")
    return table


@router.get("/latency-tables/{snapshot}/diff/{other}", tags=["latency tables"])
def get_diff(_: UserDep, snapshot: str, other: str, session: SessionDep) -> TableDiff:
    """Compare two snapshots of one space: ratios and ranks of their cells and of known networks."""
    a, b = table_resource(session, snapshot), table_resource(session, other)
    named = (named_predictions(load_table(session, each)) for each in (snapshot, other))
    with refusing_values("path.other"):
        return diff_tables(a, b, *named)


@router.get("/latency-tables/{snapshot}/networks", tags=["predictions"])
def get_networks(_: UserDep, snapshot: str, session: SessionDep) -> tuple[NamedPrediction, ...]:
    """Predict the networks that have a name: published ones that fit, and one block in every layer."""
    return named_predictions(load_table(session, snapshot))


@router.get("/latency-tables/{snapshot}/prediction", tags=["predictions"])
def get_prediction(
    _: UserDep,
    snapshot: str,
    session: SessionDep,
    architecture: Annotated[str, Query(description="blocks, separated by commas, or a name: fbnet-a")],
) -> Prediction:
    """Predict the latency of one network from this very table; nothing is measured."""
    return predict_from(session, snapshot, architecture)


@router.post("/latency-tables/{snapshot}/recalibrations", tags=["latency tables"], status_code=201)
def post_recalibration(
    caller: UserDep, snapshot: str, session: SessionDep, now: NowDep, private: PrivateQuery = False
) -> Recalibration:
    """Store a new snapshot: the entries times the one factor that measured networks ask for."""
    return recalibrate_table(session, snapshot, now, caller.owning(private))


@router.post("/predictions", tags=["predictions"])
def post_predictions(_: UserDep, create: PredictionCreate, session: SessionDep) -> tuple[Prediction, ...]:
    """Predict the latency of whole networks from a table; nothing is measured."""
    return predict(session, create)


def _file(content: str | bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type=media_type, headers=headers)
