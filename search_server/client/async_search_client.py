"""The REST client for asynchronous programs: the methods of :class:`SearchClient`, to be awaited."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx

from search_server.client import endpoints
from search_server.client.endpoints import EventStream, Request
from search_server.client.errors import ServerUnreachableError
from search_server.client.events import EventReader
from search_server.client.http_messages import event_request, http_request, read_answer, refuse
from search_server.client.login import server_and_token
from search_server.client.methods import method
from search_server.client.model_parts import part_offsets, read_model
from search_server.client.rows import Records
from search_server.client.search_client import TIMEOUT
from search_server.resources.models import PART_BYTES, Model
from search_server.resources.page import Page

T = TypeVar("T")


class AsyncSearchClient:
    """Client to be awaited; use it as an asynchronous context manager.

    Args:
        server_url, token: as of :class:`SearchClient`.
        patience_s: how long ``*_events`` tries to reconnect before it gives up.
        transport: how requests travel; None: over the network.

    Every method raises :class:`ServerRefusedError`, :class:`ServerUnreachableError` or
    :class:`UnexpectedAnswerError`.
    """

    def __init__(
        self,
        server_url: str | None = None,
        token: str | None = None,
        *,
        patience_s: float = 60.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.server_url, self._token = server_and_token(server_url, token)
        self._patience_s = patience_s
        self._http = httpx.AsyncClient(timeout=TIMEOUT, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, request: Request[T]) -> T:
        """Send one request of :mod:`search_server.client.endpoints` and return its answer."""
        message = http_request(self.server_url, self._token, request)
        try:
            response = await self._http.send(message)
        except httpx.TransportError as error:
            raise ServerUnreachableError(self.server_url, str(error)) from error
        return read_answer(request, response)

    async def send_all(self, request: Request[tuple[T, ...]]) -> Records[T]:
        """Send one request whose answer is a list."""
        answer: tuple[T, ...] = await self.send(request)
        return Records(answer)

    async def iterate(self, request: Request[Page[T]]) -> AsyncIterator[T]:
        """Yield the items of a paged list, fetching pages as they are needed."""
        cursor: str | None = None
        while True:
            page = await self.send(request.at_cursor(cursor))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    async def download(self, request: Request[bytes]) -> AsyncIterator[bytes]:
        """Yield a file part by part, as it comes."""
        message = http_request(self.server_url, self._token, request)
        try:
            response = await self._http.send(message, stream=True)
            try:
                if not response.is_success:
                    await response.aread()
                    refuse(response)
                async for part in response.aiter_bytes():
                    yield part
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise ServerUnreachableError(self.server_url, str(error)) from error

    async def listen(self, stream: EventStream[T]) -> AsyncIterator[T]:
        """Yield the events of a job until it has ended, reconnecting as needed."""
        reader = EventReader(self.server_url, stream.kinds, self._patience_s)
        while True:
            reason = "the stream ended early"
            try:
                message = event_request(self.server_url, self._token, stream, reader.headers)
                response = await self._http.send(message, stream=True)
                try:
                    if response.status_code != httpx.codes.OK:
                        await response.aread()
                        refuse(response)
                    async for line in response.aiter_lines():
                        event = reader.feed(line)
                        if event is not None:
                            yield event
                            if stream.is_last(event):
                                return
                finally:
                    await response.aclose()
            except httpx.TransportError as error:
                reason = str(error)
            await asyncio.sleep(reader.pause_s(reason))

    async def upload_model(self, path: Path, name: str | None = None) -> Model:
        """Send a model file in parts, from where an earlier attempt stopped, and have it kept.

        Args:
            path: a file whose name ends with ``.onnx`` or ``.tflite``.
            name: left out: the file's name without its ending.

        Raises:
            ValueError: the name of the file ends otherwise, or the file is too large.
            OSError: the file cannot be read.
        """
        content, create = read_model(path, name)
        upload = await self.model_upload(create.sha256)
        for offset in part_offsets(upload, create):
            part = content[offset : offset + PART_BYTES]
            await self.send_model_part(create.sha256, offset, part)
        return await self.add_model(create)

    devices = method(endpoints.devices, iterate)
    device = method(endpoints.device, send)
    install_command = method(endpoints.install_command, send)
    enrolment = method(endpoints.enrolment, send)
    device_trend = method(endpoints.device_trend, send)
    update_device = method(endpoints.update_device, send)
    rotate_credential = method(endpoints.rotate_credential, send)
    upgrade_agent = method(endpoints.upgrade_agent, send)
    remove_device = method(endpoints.remove_device, send)
    start_profile = method(endpoints.start_profile, send)
    profile = method(endpoints.profile, send)
    profiles = method(endpoints.profiles, iterate)
    cancel_profile = method(endpoints.cancel_profile, send)
    profile_events = method(endpoints.profile_events, listen)
    tables = method(endpoints.tables, iterate)
    table = method(endpoints.table, send)
    table_diff = method(endpoints.table_diff, send)
    table_networks = method(endpoints.table_networks, send_all)
    check_table = method(endpoints.check_table, send)
    checks = method(endpoints.checks, iterate)
    check = method(endpoints.check, send)
    cancel_check = method(endpoints.cancel_check, send)
    check_events = method(endpoints.check_events, listen)
    recalibrate_table = method(endpoints.recalibrate_table, send)
    export_table = method(endpoints.export_table, send)
    import_table = method(endpoints.import_table, send)
    import_measurements = method(endpoints.import_measurements, send)
    leases = method(endpoints.leases, send_all)
    samples = method(endpoints.samples, send)
    cell_samples = method(endpoints.cell_samples, send)
    cell_spreads = method(endpoints.cell_spreads, send_all)
    export_samples = method(endpoints.export_samples, download)
    predict = method(endpoints.predict, send_all)
    start_measurement = method(endpoints.start_measurement, send)
    measurement = method(endpoints.measurement, send)
    measurements = method(endpoints.measurements, iterate)
    cancel_measurement = method(endpoints.cancel_measurement, send)
    measurement_events = method(endpoints.measurement_events, listen)
    update_job = method(endpoints.update_job, send)
    try_search = method(endpoints.try_search, send)
    start_search = method(endpoints.start_search, send)
    front = method(endpoints.front, send)
    retarget = method(endpoints.retarget, send)
    searches = method(endpoints.searches, iterate)
    search = method(endpoints.search, send)
    search_steps = method(endpoints.search_steps, iterate)
    search_curves = method(endpoints.search_curves, send)
    search_architectures = method(endpoints.search_architectures, send_all)
    search_events = method(endpoints.search_events, listen)
    cancel_search = method(endpoints.cancel_search, send)
    resume_search = method(endpoints.resume_search, send)
    export_search = method(endpoints.export_search, send)
    audit = method(endpoints.audit, iterate)
    known_ids = method(endpoints.known_ids, send_all)
    data_sets = method(endpoints.data_sets, send_all)
    model_upload = method(endpoints.model_upload, send)
    send_model_part = method(endpoints.send_model_part, send)
    add_model = method(endpoints.add_model, send)
    models = method(endpoints.models, iterate)
    model = method(endpoints.model, send)
    remove_model = method(endpoints.remove_model, send)
    start_model_measurement = method(endpoints.start_model_measurement, send)
    model_measurements = method(endpoints.model_measurements, iterate)
    model_measurement = method(endpoints.model_measurement, send)
    cancel_model_measurement = method(endpoints.cancel_model_measurement, send)
    model_measurement_events = method(endpoints.model_measurement_events, listen)
    start_gate = method(endpoints.start_gate, send)
    gates = method(endpoints.gates, iterate)
    gate = method(endpoints.gate, send)
    cancel_gate = method(endpoints.cancel_gate, send)
    gate_events = method(endpoints.gate_events, listen)
    export_model_measurement = method(endpoints.export_model_measurement, send)
    compare_models = method(endpoints.compare_models, send)
