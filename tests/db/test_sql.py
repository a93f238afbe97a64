"""What the database answers in SQL: the queries of the documentation, against what is known of devices."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import delete, func, inspect, select, text

from search_server.db.migrate import migrate_to_head
from search_server.db.models import (
    LatencyEntryRow,
    LatencyTableRow,
    MeasuredNodeRow,
    ResultRow,
)
from search_server.db.session import Database
from search_server.latency.covers import cover_architectures
from search_server.resources.tables import ProfileCreate
from shared.search_space import search_space
from shared.workload import IDENTITY_KEY, segment_key
from tests.conftest import Clock
from tests.markdown_code import code_blocks
from tests.search_server.api import Api
from tests.search_server.synthetic import (
    NUM_PROFILED_RUNS,
    PROFILER_COST_US,
    SIMULATED,
    SyntheticDevice,
    lease_results,
    segment_latency_us,
)
from tests.search_server.tables import known_table, store_known_table

pytestmark = pytest.mark.anyio
TINY = search_space("fbnet-tiny")
SLOWEST, TWO_DEVICES, OPERATORS, _ = code_blocks("sql.md", "sql")


async def profile(api: Api, device: SyntheticDevice, slowdown: float = 1.0) -> None:
    await api.post("/profiles", ProfileCreate(device.name, "fbnet-tiny", SIMULATED))
    await device.work(slowdown)


def ask(database: Database, query: str) -> Sequence[Any]:
    with database.reading() as session:
        return session.execute(text(query)).all()


def truth_us(block: str) -> dict[str, float]:
    """Return by layer what a block takes."""
    return {
        layer.name: segment_latency_us(segment_key(TINY.candidate(layer, block), layer.input_shape))
        for layer in TINY.layers
    }


async def test_the_slowest_blocks(api: Api, database: Database) -> None:
    await profile(api, await SyntheticDevice.enrol(api, "silver_4210r"))
    by_cell = {(layer, block): us for block in TINY.candidates for layer, us in truth_us(block).items()}
    rows = ask(database, SLOWEST)
    assert len(rows) == 10
    assert [row.latency_us for row in rows] == pytest.approx(sorted(by_cell.values())[:-11:-1], abs=1)
    for row in rows:
        assert by_cell[row.layer, row.block] == pytest.approx(row.latency_us, abs=1)


async def test_one_block_on_two_devices(api: Api, database: Database) -> None:
    await profile(api, await SyntheticDevice.enrol(api, "silver_4210r"))
    await profile(api, await SyntheticDevice.enrol(api, "titan_rtx_64"), slowdown=3)
    rows = ask(database, TWO_DEVICES)
    assert [row.layer for row in rows] == [layer.name for layer in TINY.layers]
    assert [row.silver_4210r_us for row in rows] == pytest.approx(list(truth_us("k5_e6").values()), abs=1)
    assert [row.percent for row in rows] == [300] * TINY.num_layers


async def test_the_operators_of_a_network(api: Api, database: Database) -> None:
    await profile(api, await SyntheticDevice.enrol(api, "workstation"))
    keys = cover_architectures(TINY, 0)[0].workload().segment_keys()
    computing = [key for key in keys if key != IDENTITY_KEY]
    num_nodes = 2 * len(computing)  # the synthetic runtime makes two nodes of a segment
    (row,) = ask(database, OPERATORS)
    assert (row.op_type, row.nodes, row.percent) == ("Conv", num_nodes, 100)
    network_us = sum(map(segment_latency_us, computing)) + num_nodes * PROFILER_COST_US
    assert row.time_us == pytest.approx(network_us, abs=1)


async def test_nodes_come_with_the_last_result_of_their_lease(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    lease = await device.lease()
    assert lease is not None
    *others, last = lease_results(lease)
    for result in others:
        await device.post(result)
    assert ask(database, "SELECT * FROM node_latencies") == []
    await device.post(last)
    rows = ask(database, "SELECT * FROM node_latencies ORDER BY item_id, node_index")
    assert len(rows) == sum(len(result.nodes) for result in (*others, last))
    first = rows[0]
    assert (first.device_id, first.lease_id) == (device.device_id, lease.lease_id)
    assert (first.item_id, first.node, first.segment) == ("cover0_0", "stem/0/conv2d", "stem")
    assert first.num_runs == NUM_PROFILED_RUNS
    assert first.q10_us <= first.median_us <= first.q90_us


async def test_cells_say_what_is_missing(database: Database, clock: Clock, device: SyntheticDevice) -> None:
    whole = known_table(device.device_id)
    stem = segment_key(TINY.stem(), TINY.input_shape)
    with database.transaction() as session:
        store_known_table(session, device.device_id, clock())
    rows = ask(database, "SELECT layer, block, segment_key, status FROM latency_entries ORDER BY position")
    assert len(rows) == 2 + TINY.num_layers * len(TINY.candidates)
    assert tuple(rows[0]) == ("stem", "", stem, "ok")
    assert (rows[-1].layer, rows[-1].block) == ("head", "")
    assert {row.status for row in rows} == {"ok", "identity"}
    assert {row.segment_key for row in rows} == {*whole.entries, IDENTITY_KEY}


async def test_rows_go_with_what_they_belong_to(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await profile(api, device)
    with database.transaction() as session:
        session.execute(delete(LatencyTableRow))
        session.execute(delete(ResultRow))
        for left in (LatencyEntryRow, MeasuredNodeRow):
            assert session.scalar(select(func.count()).select_from(left)) == 0


async def test_the_migration_fills_the_rows_of_what_is_stored(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await profile(api, device)
    queries = (
        "SELECT * FROM latency_entries ORDER BY snapshot, position",
        "SELECT * FROM node_latencies ORDER BY lease_id, item_id, node_index",
    )
    written = [ask(database, query) for query in queries]
    assert all(written)
    config = Config()
    config.set_main_option("script_location", str(files("search_server.db") / "migrations"))
    config.set_main_option("path_separator", "os")
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    with database.reading() as session:
        names = inspect(session.connection()).get_table_names()
    assert not {"latency_entries", "measured_nodes"} & set(names)
    migrate_to_head(database.engine)
    assert [ask(database, query) for query in queries] == written
