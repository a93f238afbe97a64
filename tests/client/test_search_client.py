"""The client against the real app on a real port."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from search_server.client import (
    AsyncSearchClient,
    SearchClient,
    ServerRefusedError,
    ServerUnreachableError,
    UnexpectedAnswerError,
    endpoints,
)
from search_server.resources.devices import DeviceUpdate
from search_server.resources.latencies import PredictionCreate
from search_server.resources.searches import Search, SearchCreate, SearchStep
from shared.protocol.wire import ErrorBody, FieldError
from tests.client.served import CONDITIONS, Served, compared, search_steps, table


def _submit(served: Served) -> str:
    device_id = served.enrol().device_id
    served.store(table(device_id))
    request = SearchCreate("bench", "fbnet-tiny", "digits", target_ms=0.6, conditions=CONDITIONS)
    with served.client() as client:
        return client.start_search(request).job.job_id


def test_devices_are_found_renamed_and_removed(served: Served) -> None:
    served.enrol()
    with served.client() as client:
        assert [device.name for device in client.devices()] == ["bench"]
        assert client.device("bench").device.num_cores == 8
        assert client.update_device("bench", DeviceUpdate(name="desk 1")).name == "desk 1"
        client.remove_device("desk 1")
        assert list(client.devices()) == []


def test_tables_travel_and_predict(served: Served) -> None:
    device_id = served.enrol().device_id
    first, second = served.store(table(device_id)), served.store(table(device_id, scale=1.5))
    with served.client() as client:
        assert {summary.snapshot for summary in client.tables(device="bench")} == {first, second}
        exported = client.export_table(first, "json")
        assert client.import_table(exported, "json", device="bench").summary.snapshot == first
        assert client.table_diff(first, second).ratio_median == pytest.approx(1.5)
        request = PredictionCreate("bench", "fbnet-tiny", ("k3_e1", "k5_e6"), CONDITIONS, first)
        small, large = client.predict(request)
        assert small.low_us is not None
        assert small.high_us is not None
        assert small.low_us < small.latency_us < small.high_us < large.latency_us
        assert small.is_simulated


def test_lists_are_read_page_by_page(served: Served) -> None:
    job_id = _submit(served)
    steps = search_steps(num_epochs=205)
    served.record(job_id, steps)
    with served.client() as client:
        assert [step.step for step in client.search_steps(job_id)] == list(range(205))


def test_the_same_request_sent_twice_makes_one_job(served: Served) -> None:
    device_id = served.enrol().device_id
    served.store(table(device_id))
    create = SearchCreate("bench", "fbnet-tiny", "digits", target_ms=0.6, conditions=CONDITIONS)
    request = endpoints.start_search(create)
    with served.client() as client:
        assert client.send(request).job.job_id == client.send(request).job.job_id
        assert client.start_search(create).job.job_id != client.send(request).job.job_id


def test_events_arrive_while_the_search_runs_and_end_with_it(served: Served) -> None:
    job_id = _submit(served)
    steps = search_steps()
    served.record(job_id, steps[:3])
    seen: list[int] = []
    last: Search | None = None
    with served.client() as client:
        for event in client.search_events(job_id):
            if isinstance(event, SearchStep):
                seen.append(event.step)
                if event.step == 2:
                    served.record(job_id, steps)
                    served.finish(job_id, compared())
            else:
                last = event
    assert seen == [step.step for step in steps]
    assert last is not None
    assert last.job.status == "done"
    assert last.result == compared()[0]


def test_the_asynchronous_client_does_the_same(served: Served) -> None:
    job_id = _submit(served)
    served.record(job_id, search_steps())
    served.finish(job_id, compared())

    async def read() -> tuple[list[str], list[object], Search]:
        async with AsyncSearchClient(served.url, served.token) as client:
            devices = [device.name async for device in client.devices()]
            events: list[object] = [event async for event in client.search_events(job_id)]
            return devices, events, await client.search(job_id)

    devices, events, search = asyncio.run(read())
    assert devices == ["bench"]
    assert events[-1] == search
    assert len(events) >= 21


def test_refusals_carry_the_servers_body(served: Served) -> None:
    with (
        served.client() as client,
        pytest.raises(ServerRefusedError, match="no device 'nobody'") as refused,
    ):
        client.device("nobody")
    assert (refused.value.status, refused.value.body.type) == (404, "unknown_device")
    with (
        SearchClient(served.url) as client,
        pytest.raises(ServerRefusedError, match="token create") as refused,
    ):
        list(client.devices())
    assert refused.value.status == 401


def test_a_server_that_is_away_is_named() -> None:
    with (
        SearchClient("http://127.0.0.1:9") as client,
        pytest.raises(ServerUnreachableError, match=r"127\.0\.0\.1:9"),
    ):
        client.search("job")


def test_another_program_at_the_address_is_recognised() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    with (
        SearchClient("http://proxy", transport=transport) as client,
        pytest.raises(UnexpectedAnswerError, match="not JSON"),
    ):
        client.search("job")


class _DroppingStream(httpx.SyncByteStream):
    """Passes on two events of a stream, then loses the connection."""

    def __init__(self, source: httpx.Response) -> None:
        self.source = source

    def __iter__(self) -> Iterator[bytes]:
        num_ends = 0
        for chunk in self.source.stream:  # type: ignore[union-attr]  # of a blocking client
            yield chunk
            num_ends += chunk.count(b"\n\n")
            if num_ends >= 2:
                raise httpx.ReadError("dropped by the test")

    def close(self) -> None:
        self.source.close()


class _DroppingTransport(httpx.HTTPTransport):
    """Drops the first stream of events."""

    def __init__(self) -> None:
        super().__init__()
        self.last_ids: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if not request.url.path.endswith("/events"):
            return response
        self.last_ids.append(request.headers.get("Last-Event-ID"))
        if len(self.last_ids) > 1:
            return response
        return httpx.Response(
            response.status_code, headers=response.headers, stream=_DroppingStream(response)
        )


def test_a_lost_stream_goes_on_where_it_was(served: Served) -> None:
    job_id = _submit(served)
    served.record(job_id, search_steps()[:2])
    transport = _DroppingTransport()
    seen: list[int] = []
    with SearchClient(served.url, served.token, transport=transport) as client:
        for event in client.search_events(job_id):
            if isinstance(event, SearchStep):
                seen.append(event.step)
                if event.step == 1:
                    served.record(job_id, search_steps()[:4])
                    served.finish(job_id, compared())
    assert seen == [0, 1, 2, 3]
    assert transport.last_ids == [None, "1"]


def test_a_refusal_says_each_thing_once() -> None:
    fault = FieldError("body.space", "no such space")
    assert str(ServerRefusedError(ErrorBody("invalid", "Invalid", 422, "no such space", (fault,)))) == (
        "no such space"
    )
    told = str(ServerRefusedError(ErrorBody("invalid", "Invalid", 422, "2 fields are wrong", (fault,))))
    assert told == "2 fields are wrong\n  body.space: no such space"


def test_curves_of_a_long_search_are_thinned(served: Served) -> None:
    served.store(table(served.enrol().device_id))
    first = search_steps()[0]
    with served.client() as client:
        create = SearchCreate("bench", "fbnet-tiny", "digits", target_ms=0.55, conditions=CONDITIONS)
        job_id = client.start_search(create).job.job_id
        assert client.search_curves(job_id).step == ()
        losses = [2.0 if number != 70 else 0.5 for number in range(100)]
        served.record(
            job_id,
            tuple(
                replace(first, step=number, epoch=number, weight_loss=loss, theta_loss=None)
                for number, loss in enumerate(losses)
            ),
        )
        curves = client.search_curves(job_id, points=12)
    assert curves.num_steps == 100
    assert curves.step == (0, 70, 99)
    assert curves.weight_loss[curves.step.index(70)] == 0.5
    assert set(curves.theta_loss) == {None}
