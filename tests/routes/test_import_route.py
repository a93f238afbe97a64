"""The import route takes anything: it answers with a table or with a refusal, and lists go on working."""

import pytest

from search_server.resources.latencies import PredictionCreate
from search_server.resources.searches import SearchCreate
from shared.protocol.device import Conditions
from tests.latency.formats.test_junk import FORMATS, SEEDS
from tests.search_server.api import Api

pytestmark = pytest.mark.anyio

SPACE = "lut:resolution=32,classes=10,stem=16s2,stages=24x1s1-32x1s2,head=64,blocks=k3_e3-k3_e6"
JUNK = {
    "nothing": b"",
    "zeros": b"\x00" * 50,
    "not UTF-8": b"\xff\xfe\xff",
    "a comma": b",",
    "an empty object": b"{}",
    "an empty list": b"[]",
    "null": b"null",
    "deep": b"[" * 50_000,
    "deep objects": b'{"a":' * 50_000,
    "surrogate": b'{"source": "\\ud800"}',
    "long": b"a,b\n" * 10_000,
    "alias": b"a: &a {mean: 1}\nb: *a",
}


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


def path_of(import_format: str) -> str:
    if import_format == "whole-network-csv":
        return "/measurements/import?device=pixel&space=fbnet-tiny"
    return f"/latency-tables/import?format={import_format}&device=pixel&space=fbnet-tiny"


@pytest.mark.parametrize("import_format", FORMATS)
async def test_junk_is_refused_and_nothing_breaks_afterwards(api: Api, import_format: str) -> None:
    changed = {
        "a comma more": SEEDS[import_format].replace(b"\n", b",\n"),
        "cut": SEEDS[import_format][:-9],
    }
    for name, content in {**JUNK, **changed}.items():
        response = await api.send("POST", path_of(import_format), content=content)
        assert response.status_code in (201, 422), (name, response.text)
    assert (await api.send("GET", "/latency-tables")).status_code == 200
    assert (await api.send("GET", "/devices")).status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("runtime=Open%20Vino", "runtime must be a name"),
        ("runtime=openvino&dtype=%00", "dtype: must be text without NUL characters"),
        ("runtime=openvino&dtype=" + "f" * 33, "dtype must be a name"),
        ("runtime=openvino&accelerator=%0A", "accelerator must be a label"),
        ("runtime=openvino&batch=0", "batch must lie in 1..1024"),
        ("runtime=openvino&threads=999", "threads must lie in 1..256"),
        ("dtype=fp16", "needs a runtime too"),
    ],
)
async def test_conditions_that_cannot_be_are_refused(api: Api, query: str, field: str) -> None:
    path = f"{path_of('plain-csv')}&{query}"
    assert field in (await api.refused("POST", path, content=SEEDS["plain-csv"])).detail


async def test_tables_of_other_runtimes_dtypes_and_accelerators_are_told_apart(api: Api) -> None:
    lines = ["layer,block,latency_ms", "stem,,1", "head,,1"]
    lines += [f"{layer},{block},1" for layer in ("layer01", "layer02") for block in ("k3_e3", "k3_e6")]
    path = f"/latency-tables/import?format=plain-csv&device=nuc&space={SPACE}&runtime=openvino&dtype=fp16"
    snapshots = []
    for told in ("", "&accelerator=Iris%20Xe", "&batch=32"):
        response = await api.send("POST", path + told, content="\n".join(lines).encode())
        assert response.status_code == 201, response.text
        snapshots.append(response.json()["summary"]["snapshot"])
    assert len(set(snapshots)) == 3
    conditions = Conditions("openvino", 1, "fp16", accelerator="Iris Xe")
    (prediction,) = await api.post("/predictions", PredictionCreate("nuc", SPACE, ("k3_e3",), conditions))
    assert prediction["snapshot"] == snapshots[1]
    assert (prediction["latency_us"], prediction["low_us"], prediction["high_us"]) == (4000, None, None)
    missing = PredictionCreate(
        "nuc", SPACE, ("k3_e3",), Conditions("openvino", 1, "fp16", accelerator="NPU")
    )
    assert (await api.refused("POST", "/predictions", missing)).type == "no_table"


async def test_a_table_that_lacks_cells_predicts_and_searches_with_the_others(api: Api) -> None:
    """The strided skip of layer02 is not in the file; the slowest network takes 5 ms."""
    space = f"{SPACE}-skip"
    lines = ["layer,block,latency_ms", "stem,,1", "head,,1", "layer01,k3_e3,1", "layer01,k3_e6,1"]
    lines += ["layer01,skip,0.5", "layer02,k3_e3,1", "layer02,k3_e6,2"]
    path = f"/latency-tables/import?format=plain-csv&device=nuc&space={space}&runtime=openvino"
    response = await api.send("POST", path, content="\n".join(lines).encode())
    summary = response.json()["summary"]
    assert "1 of 8 cells are not in the file" in summary["warnings"][0]
    assert (summary["fastest_us"], summary["slowest_us"]) == (3500, 5000)
    openvino = Conditions("openvino")
    (prediction,) = await api.post("/predictions", PredictionCreate("nuc", space, ("k3_e3",), openvino))
    assert prediction["latency_us"] == 4000
    lacking = PredictionCreate("nuc", space, ("skip",), openvino)
    assert (await api.refused("POST", "/predictions", lacking)).type == "missing_latency"
    await api.post("/searches", SearchCreate("nuc", space, "digits", target_ms=4.0, conditions=openvino))
    beyond = SearchCreate("nuc", space, "digits", target_ms=5.5, conditions=openvino)
    assert "networks take 3.5 to 5 ms" in (await api.refused("POST", "/searches", beyond)).detail
    without_target = SearchCreate("nuc", space, "digits", target_ms=4.0, conditions=openvino, loss="fbnet")
    refused = await api.refused("POST", "/searches", without_target)
    assert (refused.type, "layer02 skip" in refused.detail) == ("table_incomplete", True)
    path = f"/latency-tables/import?format=plain-csv&device=bare&space={space}&runtime=openvino"
    await api.send("POST", path, content="\n".join(lines[:6]).encode())
    bare = SearchCreate("bare", space, "digits", target_ms=4.0, conditions=openvino)
    assert "has no cell of layer02 at all" in (await api.refused("POST", "/searches", bare)).detail
