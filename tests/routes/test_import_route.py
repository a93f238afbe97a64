"""The import route takes anything: it answers with a table or with a refusal, and lists go on working."""

import pytest

from search_server.resources.latencies import PredictionCreate
from search_server.resources.searches import SearchCreate
from shared.protocol.device import Conditions
from tests.latency.formats.test_junk import FORMATS, SEEDS
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice

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
    several = await api.refused("POST", "/predictions", PredictionCreate("nuc", SPACE, ("k3_e3",)))
    assert several.type == "several_tables"
    assert all(snapshot in several.detail for snapshot in snapshots)
    assert "openvino on Iris Xe, fp16, batch 1" in several.detail
    named = PredictionCreate("nuc", SPACE, ("k3_e3",), snapshot=snapshots[2])
    assert (await api.post("/predictions", named))[0]["batch"] == 32
    missing = PredictionCreate(
        "nuc", SPACE, ("k3_e3",), Conditions("openvino", 1, "fp16", accelerator="NPU")
    )
    assert (await api.refused("POST", "/predictions", missing)).type == "no_table"


async def test_the_only_conditions_of_a_device_without_an_agent_need_not_be_named(api: Api) -> None:
    """The network k3_e3 takes 4 ms: stem, two layers and head of 1 ms each."""
    lines = ["layer,block,latency_ms", "stem,,1", "head,,1"]
    lines += [f"{layer},{block},1" for layer in ("layer01", "layer02") for block in ("k3_e3", "k3_e6")]
    path = f"/latency-tables/import?format=plain-csv&device=nuc&space={SPACE}&runtime=openvino&batch=8"
    for faster in (b"1", b"1.0"):  # a table that came again is the same table
        content = "\n".join(lines).encode().replace(b"stem,,1", b"stem,," + faster)
        response = await api.send("POST", path, content=content)
        assert response.status_code == 201, response.text
    (prediction,) = await api.post("/predictions", PredictionCreate("nuc", SPACE, ("k3_e3",)))
    assert (prediction["latency_us"], prediction["batch"]) == (4000, 8)
    search = await api.post("/searches", SearchCreate("nuc", SPACE, "digits", target_ms=4.0))
    assert search["job"]["conditions"]["runtime"] == "openvino"
    other = PredictionCreate("nuc", "fbnet-tiny", ("k3_e3",))
    refused = await api.refused("POST", "/predictions", other)
    assert refused.type == "no_table"
    assert f"it has {prediction['snapshot']} ({SPACE}; openvino" in refused.detail
    wrong = PredictionCreate("nuc", SPACE, ("k3_e3",), Conditions())
    assert (await api.refused("POST", "/predictions", wrong)).type == "no_table"  # never one for another


async def test_a_device_with_an_agent_has_the_usual_conditions(api: Api) -> None:
    await SyntheticDevice.enrol(api, "raspi")
    lines = ["layer,block,latency_ms", "stem,,1", "head,,1"]
    lines += [f"{layer},{block},1" for layer in ("layer01", "layer02") for block in ("k3_e3", "k3_e6")]
    path = f"/latency-tables/import?format=plain-csv&device=raspi&space={SPACE}&runtime=openvino"
    response = await api.send("POST", path, content="\n".join(lines).encode())
    assert response.status_code == 201, response.text
    refused = await api.refused("POST", "/predictions", PredictionCreate("raspi", SPACE, ("k3_e3",)))
    assert refused.type == "no_table"
    assert "for onnxruntime, fp32" in refused.detail


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
