"""What a client returns in a notebook: signatures to read, frames, and a picture."""

import asyncio
import inspect
from collections.abc import Iterator

import pytest

from search_server.client import AsyncSearchClient, Records, SearchClient
from search_server.client.rows import Rows
from search_server.resources.devices import DeviceResource
from search_server.resources.searches import Search, SearchCurves
from search_server.resources.tabular import flat
from tests.client.served import SPACE, Served, table


def test_methods_have_signatures() -> None:
    signature = inspect.signature(SearchClient.devices)
    assert list(signature.parameters) == ["self", "tag", "owner"]
    assert signature.return_annotation == Rows[DeviceResource]
    assert inspect.signature(SearchClient.search).return_annotation is Search
    assert inspect.signature(SearchClient.export_samples).return_annotation == Iterator[bytes]
    assert inspect.signature(SearchClient.predict).return_annotation.__origin__ is Records
    assert inspect.signature(AsyncSearchClient.search).return_annotation is Search


def test_both_clients_have_the_same_methods() -> None:
    def methods(client: type) -> set[str]:
        return {name for name in vars(client) if not name.startswith("_")}

    assert methods(SearchClient) == methods(AsyncSearchClient)


def test_a_list_is_iterated_once_and_framed_whole(served: Served) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")
    for number in range(3):
        served.enrol(f"board-{number}")
    with served.client() as client:
        devices = client.devices()
        next(devices)
        frame = devices.to_pandas()
        assert isinstance(frame, pandas.DataFrame)
        assert sorted(frame["name"]) == ["board-0", "board-1", "board-2"]
        assert len(list(devices)) == 2  # the frame did not take them


def test_the_cells_of_a_table_become_a_frame(served: Served) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")
    snapshot = served.store(table(served.enrol().device_id))
    with served.client() as client:
        cells = client.table(snapshot).to_pandas()
    wide = cells.pivot(index="layer", columns="block", values="latency_us")
    # The table of this test: 0.008 of the anchor's 1000 us, and its share of the multiply-accumulates.
    layer = SPACE.layers[3]
    macs = SPACE.candidate(layer, "k5_e6").macs(layer.input_shape)
    assert wide.loc[layer.name, "k5_e6"] == pytest.approx(1000 * (0.008 + macs / 4e7))


def test_polars_gets_the_same(served: Served) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed: pip install polars")
    served.enrol()
    with served.client() as client:
        frame = client.devices().to_polars()
    assert isinstance(frame, polars.DataFrame)
    assert frame["name"].to_list() == ["bench"]


def test_a_notebook_shows_rows_and_escapes_names(served: Served) -> None:
    served.enrol("bench")
    with served.client() as client:
        html = client.devices()._repr_html_()
        assert "<td>bench</td>" in html
        records = client.data_sets()
        assert "<td>digits</td>" in records._repr_html_()
    assert "<b>" not in Records([{"name": "<b>"}])._repr_html_()
    many = Records([{"n": number} for number in range(21)])._repr_html_()
    assert ("the first 20 rows" in many, many.count("<td>")) == (True, 20)


def test_a_field_within_a_field_has_both_names() -> None:
    assert flat({"job": {"id": "a", "of": {"x": 1}}, "n": None}) == {
        "job.id": "a",
        "job.of.x": 1,
        "n": None,
    }


def test_curves_are_rows_a_step() -> None:
    curves = SearchCurves(9, (1, 2), (1, 2), (0.5, 0.4), (None, 0.3), (0.1, 0.2), (9.0, 8.0), (1.0, 0.9))
    assert flat(list(curves.table_rows())[1]) == {
        "step": 2,
        "epoch": 2,
        "weight_loss": 0.4,
        "theta_loss": 0.3,
        "accuracy": 0.2,
        "expected_latency_us": 8.0,
        "entropy": 0.9,
    }


def test_an_asynchronous_list_is_framed_by_records(served: Served) -> None:
    async def names() -> Records[DeviceResource]:
        async with AsyncSearchClient(served.url, served.token) as client:
            return Records([device async for device in client.devices()])

    served.enrol()
    assert "<td>bench</td>" in asyncio.run(names())._repr_html_()


def test_the_environment_names_server_and_token(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.enrol()
    monkeypatch.setenv("EDGENAS_SERVER_URL", served.url)
    monkeypatch.setenv("EDGENAS_TOKEN", served.token)
    with SearchClient() as client:
        assert [device.name for device in client.devices()] == ["bench"]
