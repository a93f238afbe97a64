"""Files of other programs, and our own ones coming back."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow
import pytest
import yaml
from pyarrow import parquet

from search_server.db.session import Database
from search_server.latency.formats.hw_nas_bench import bundled_hw_nas_bench
from search_server.latency.stored.snapshots import store_table
from search_server.resources.latencies import Measurement, PredictionCreate
from search_server.resources.tables import Table
from shared.operators import Conv2d, GlobalAvgPool, Linear, ReLU
from shared.protocol.device import Conditions
from shared.protocol.wire import from_dict
from shared.search_space import search_space
from shared.workload import IDENTITY_KEY
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice
from tests.search_server.tables import REFUSED, known_table, store_known_table

pytestmark = pytest.mark.anyio

SPACE = search_space("fbnet-tiny")


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


async def import_file(api: Api, content: bytes, query: str) -> Table:
    response = await api.send("POST", f"/latency-tables/import?{query}", content=content)
    assert response.status_code == 201, response.text
    return from_dict(response.json(), Table)


def latencies_us(table: Table) -> dict[tuple[str, str], float | None]:
    return {(cell.layer, cell.block): cell.latency_us for cell in table.cells}


@pytest.mark.parametrize("table_format", ["json", "parquet"])
async def test_what_was_exported_comes_back_as_the_same_snapshot(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock, table_format: str
) -> None:
    """A refused table stays refused; on another device it is a table of its own, known as a copy."""
    with database.transaction() as session:
        snapshot = store_known_table(session, device.device_id, clock(), verdict=REFUSED)
    exported = await api.send("GET", f"/latency-tables/{snapshot}?format={table_format}")
    again = await import_file(api, exported.content, f"format={table_format}&device=raspi")
    assert again.summary.snapshot == snapshot
    assert again.summary.verdict == REFUSED
    assert again.summary.warnings == ()
    elsewhere = await import_file(api, exported.content, f"format={table_format}&device=pixel")
    assert elsewhere.summary.snapshot != snapshot
    warning = elsewhere.summary.warnings[-1]
    assert f"those of device raspi, table {snapshot}, number for number" in warning
    shown = await api.get(f"/latency-tables/{elsewhere.summary.snapshot}")
    assert shown["summary"]["warnings"][-1] == warning


async def test_a_parquet_file_is_also_had_by_accept_and_cannot_be_changed(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        snapshot = store_known_table(session, device.device_id, clock())
    headers = {"Accept": "application/vnd.apache.parquet"}
    response = await api.send("GET", f"/latency-tables/{snapshot}", headers=headers)
    assert response.headers["content-type"] == headers["Accept"]
    path = "/latency-tables/import?format=parquet&device=raspi"
    table = parquet.read_table(io.BytesIO(response.content))
    assert table.schema.metadata[b"edgenas.snapshot"].decode() == snapshot
    units = pyarrow.array([1.0] * len(table))
    forged = io.BytesIO()
    parquet.write_table(
        table.set_column(table.column_names.index("latency_units"), "latency_units", units), forged
    )
    error = await api.refused("POST", path, content=forged.getvalue())
    assert f"not those of snapshot '{snapshot}'" in error.detail
    assert "not a Parquet file" in (await api.refused("POST", path, content=b"PAR1")).detail


async def test_csv_comes_back_without_its_verdict(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    table = replace(known_table(device.device_id), conditions=Conditions(threads=2, cores=(0, 1)))
    with database.transaction() as session:
        snapshot = store_table(session, table, clock())
        refused = store_known_table(session, device.device_id, clock(), verdict=REFUSED)
    exported = await api.send("GET", f"/latency-tables/{snapshot}", headers={"Accept": "text/csv"})
    again = await import_file(api, exported.content, "format=csv&device=raspi")
    before = from_dict(await api.get(f"/latency-tables/{snapshot}"), Table)
    assert latencies_us(again) == pytest.approx(latencies_us(before))
    assert (again.summary.verdict, again.summary.conditions) == (None, table.conditions)
    assert again.summary.source == f"measured, by CSV from {snapshot}"
    assert "does not hold the verdict" in again.summary.warnings[0]
    exported = await api.send("GET", f"/latency-tables/{refused}?format=csv")
    path = "/latency-tables/import?format=csv&device=raspi"
    assert "was not accepted" in (await api.refused("POST", path, content=exported.content)).detail


@pytest.mark.parametrize(
    ("column", "text", "fragment"),
    [
        ("latency_us", "-3", "cell layer01 k3_e1 must lie in 0..60 s, got -0.003 ms"),
        (
            "latency_us",
            "fast",
            "line 3 (layer01 k3_e1): latency_us must be a number such as 0.25 or 5e-05, got 'fast'",
        ),
        ("anchor_us", "7", "line 3: anchor_us is '7'"),
    ],
)
async def test_impossible_lines_of_a_csv_are_named(
    api: Api,
    device: SyntheticDevice,
    database: Database,
    clock: Clock,
    column: str,
    text: str,
    fragment: str,
) -> None:
    with database.transaction() as session:
        snapshot = store_known_table(session, device.device_id, clock())
    exported = await api.send("GET", f"/latency-tables/{snapshot}?format=csv")
    lines = list(csv.DictReader(io.StringIO(exported.text)))
    lines[1][column] = text
    file = io.StringIO()
    writer = csv.DictWriter(file, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    path = "/latency-tables/import?format=csv&device=raspi"
    error = await api.refused("POST", path, content=file.getvalue().encode())
    assert fragment in error.detail


async def test_an_identity_that_costs_something_is_refused(api: Api) -> None:
    document = json.loads(bundled_hw_nas_bench())
    document["devices"]["raspi4"]["rel_to_skip_ms"][2][8] = 0.5
    path = "/latency-tables/import?format=hw-nas-bench&device=raspi4"
    error = await api.refused("POST", path, content=json.dumps(document).encode())
    assert "cell layer03 skip is an identity and must cost nothing, got 0.5 ms" in error.detail


def ofa_file(**changes: Any) -> bytes:
    """Two blocks of layer 2 (32 channels in the inner layers of stage 2), stem and head of fbnet-tiny."""
    table: dict[str, Mapping[str, Any]] = {
        "Conv-input:32x32x3-output:16x16x16": {"mean": 0.25, "count": 5},
        "expanded_conv-input:16x16x32-output:16x16x32-expand:3-kernel:3-stride:1-idskip:1": {"mean": 1.5},
        "expanded_conv-input:16x16x32-output:16x16x32-expand:192-kernel:5-stride:1-idskip:1-se:0-hs:0": {
            "mean": 2.0
        },
        "expanded_conv-input:16x16x32-output:16x16x32-expand:1-kernel:3-stride:1-idskip:1": {"mean": 9.0},
        "Conv_1-input:4x4x192-output:4x4x384": {"mean": 0.5},
        "Logits-input:4x4x384-output:10": {"mean": 0.125},
        **changes,
    }
    return yaml.safe_dump(table).encode()


async def test_once_for_all_fills_the_cells_that_it_describes(api: Api) -> None:
    table = await import_file(api, ofa_file(), "format=ofa-yaml&device=pixel&space=fbnet-tiny")
    known = {cell: us for cell, us in latencies_us(table).items() if us}
    assert known == pytest.approx(
        {
            ("stem", ""): 250.0,
            **{(f"layer0{layer}", "k3_e3"): 1500.0 for layer in (3, 4)},
            **{(f"layer0{layer}", "k5_e6"): 2000.0 for layer in (3, 4)},
            ("head", ""): 625.0,
        }
    )
    missing, unit = table.summary.warnings[:2]
    assert missing.startswith("105 of 119 cells are not in the file and have no latency: layer01 k3_e1, ")
    assert "anchor network is not complete" in unit
    create = PredictionCreate("pixel", "fbnet-tiny", ("k3_e3",), snapshot=table.summary.snapshot)
    error = await api.refused("POST", "/predictions", create)
    assert (error.type, "layer01" in error.detail) == ("missing_latency", True)
    path = f"/latency-tables/{table.summary.snapshot}/prediction?architecture=k3_e3"
    assert (await api.refused("GET", path)).detail == error.detail


@pytest.mark.parametrize(
    ("query", "content", "fragment"),
    [
        ("format=ofa-yaml", ofa_file(), "name the one to fill"),
        (
            "format=ofa-yaml&space=fbnet-224",
            ofa_file(),
            "nothing in the file fits a cell of space fbnet-224",
        ),
        ("format=ofa-yaml&space=fbnet-tiny", ofa_file(odd={"mean": 0}), "odd: mean must be a number"),
        ("format=ofa-yaml&space=fbnet-tiny", b"- a", "must be a map"),
        ("format=ofa-yaml&space=fbnet-tiny", b"a: {", "not YAML"),
        ("format=mobile-vision-jsonl&space=fbnet-tiny", b"{}", "line 1 must be an object with op_type"),
        ("format=json&runtime=torch", b"{}", "tell their own conditions"),
    ],
)
async def test_what_is_no_such_file_is_refused(api: Api, query: str, content: bytes, fragment: str) -> None:
    error = await api.refused("POST", f"/latency-tables/import?device=pixel&{query}", content=content)
    assert error.status == 422
    assert fragment in error.detail


def mobile_vision_file(device: str = "SM-G950U-7.0-24") -> bytes:
    """Every operator of the space's k3_e3 candidates, 8 us each, as Caffe2 writes int8 operators."""
    records: dict[str, dict[str, Any]] = {}

    def add(op_type: str, *shapes: list[int], **arguments: int) -> None:
        record = {
            "op_type": op_type,
            "op_args": [f'name: "{name}"\ni: {value}\n' for name, value in arguments.items()],
            "input_shapes": shapes,
            "runtime_us_p50": 8.0,
            "device": device,
        }
        records[json.dumps(record)] = record

    blocks = [(SPACE.candidate(layer, "k3_e3"), layer.input_shape) for layer in SPACE.layers]
    last = blocks[-1][0].output_shape(blocks[-1][1])
    for segment, entry in ((SPACE.stem(), SPACE.input_shape), *blocks, (SPACE.head(), last)):
        shape = entry
        for index, operator in enumerate(segment.operators):
            channels, height, width = shape
            image = [1, height, width, channels]
            match operator:
                case Conv2d():
                    has_relu = any(isinstance(o, ReLU) for o in segment.operators[index + 1 : index + 3])
                    size, depth = operator.kernel_size, operator.in_channels // operator.groups
                    kernel = [operator.out_channels, size, size, depth]
                    name = "Int8ConvRelu" if has_relu else "Int8Conv"
                    add(name, image, kernel, [operator.out_channels], stride=operator.stride)
                case GlobalAvgPool():
                    add("Int8AveragePool", image)
                case Linear():
                    add("Int8FC", [1, channels], [operator.out_features, channels], [operator.out_features])
            shape = operator.output_shape(shape)
        if segment.residual:
            channels, height, width = shape
            add("Int8Add", [1, height, width, channels], [1, height, width, channels])
    return "\n".join(records).encode()


async def test_operators_of_mobile_vision_add_up_to_cells(api: Api) -> None:
    query = "format=mobile-vision-jsonl&device=s8&space=fbnet-tiny"
    table = await import_file(api, mobile_vision_file(), query)
    summary = table.summary
    assert (summary.source, str(summary.conditions.runtime)) == ("mobile-vision, SM-G950U-7.0-24", "other")
    assert summary.conditions.dtype == "int8"
    known = {cell: us for cell, us in latencies_us(table).items() if us}
    assert known.pop(("stem", "")) == pytest.approx(8.0)
    assert known.pop(("head", "")) == pytest.approx(24.0)
    is_residual = {layer.name: layer.in_channels == layer.out_channels for layer in SPACE.layers}
    assert known == pytest.approx(
        {(layer, "k3_e3"): 24.0 + 8.0 * residual for layer, residual in is_residual.items()}
    )
    keys = {cell.key for cell in table.cells if cell.block == "k3_e3"} - {IDENTITY_KEY}
    assert summary.num_measured == len(keys) + 2
    two = mobile_vision_file() + b"\n" + mobile_vision_file("iphone")
    error = await api.refused("POST", f"/latency-tables/import?{query}", content=two)
    assert "no device 's8'; its devices are SM-G950U-7.0-24, iphone" in error.detail


async def test_whole_networks_become_measurements(api: Api) -> None:
    content = b"architecture,latency_ms,device\nk3_e1,1.5,pixel\nskip,0.25,pixel\nk3_e1,9,nokia\n"
    path = "/measurements/import?device=pixel&space=fbnet-tiny&runtime=litert&threads=4"
    stored = from_dict((await api.send("POST", path, content=content)).json(), Measurement)
    assert stored.job.status == "done"
    assert stored.job.conditions == Conditions("litert", 4)
    assert [latency.latency_us for latency in stored.latencies] == [1500.0, 250.0]
    assert {(one.source, one.num_samples) for one in stored.latencies} == {("whole-network CSV", 0)}
    again = from_dict((await api.send("POST", path, content=content)).json(), Measurement)
    assert again == stored
    listed = await api.get("/measurements?device=pixel&space=fbnet-tiny")
    assert [item["job"]["job_id"] for item in listed["items"]] == [stored.job.job_id]
    assert (await api.get("/latency-tables"))["items"] == []


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"architecture,ms\nskip,1\n", "lacks columns latency_ms; it has architecture, ms"),
        (b"architecture,latency_ms\nskip,0\n", "line 2: latency_ms must lie above 0"),
        (b"architecture,latency_ms\nskip,1\nk9,1\n", "line 3: unknown architecture 'k9'"),
        (
            b"architecture,latency_ms,device\nskip,1,nokia\n",
            "no line is of device 'pixel'; they are of nokia",
        ),
        (b"architecture,latency_ms\n", "has no lines"),
    ],
)
async def test_impossible_measurements_are_named(api: Api, content: bytes, fragment: str) -> None:
    path = "/measurements/import?device=pixel&space=fbnet-tiny"
    assert fragment in (await api.refused("POST", path, content=content)).detail
