"""The carrier for agents that no server can reach: they ask for leases and send the results."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from profiler_agent.agent import AgentBusyError, AgentCore
from profiler_agent.artifact_cache import ArtifactMismatchError
from profiler_agent.carriers.backoff import Backoff
from profiler_agent.carriers.delivery import WRONG_TOKEN, Delivery
from profiler_agent.carriers.errands import Errands
from profiler_agent.carriers.lease_thread import LeaseThread
from profiler_agent.carriers.spool import Spool
from profiler_agent.facts.environment import read_environment
from shared.protocol.call_server import NoAnswerError, RequestRefusedError, ServerClient
from shared.protocol.device import Device, Environment
from shared.protocol.measurement import Heartbeat, Lease, LeaseRequest, Result, Status

_log = logging.getLogger(__name__)

_FIRST_HEARTBEAT_INTERVAL_S = 5.0
_SHORTEST_HEARTBEAT_INTERVAL_S = 0.01
_GIVE_BACK_TIMEOUT_S = 5.0

_ASK_EVERY_S = 3600.0
"""Errands that no answer hinted at, such as a credential that has become old."""

_WRONG_DEVICE = 403
_WRONG_VERSION = 426


def _for_nothing(_: Environment) -> str:
    return ""


class DialOutError(RuntimeError):
    """The server will not work with this agent until a person does something; the message says what."""


class DialOut:
    """Works for one server until it is told to drain."""

    def __init__(
        self,
        core: AgentCore,
        client: ServerClient,
        spool: Spool,
        drain: asyncio.Event,
        backoff: Backoff,
        wait_s: float = 50.0,
        device: Device | None = None,
        errands: Errands | None = None,
        waits_for: Callable[[Environment], str] = _for_nothing,
        check_s: float = 20.0,
    ) -> None:
        """Prepare, without connecting.

        Args:
            core: measures the leases.
            client: speaks to the server with this device's token.
            spool: keeps results until they have arrived.
            drain: when set, the lease at work is finished and no other is asked for; if it cannot be
                finished, it is given back.
            backoff: pauses while the server is away.
            wait_s: how long the server may hold a request for work open.
            device: what this device is; the server is told with the first request that it answers.
            errands: does what the server asks between leases; None does not ask what that is.
            waits_for: what lacks of the owner's conditions for a lease, from how the device is; empty:
                nothing.
            check_s: how often to look again while something lacks.
        """
        self._core = core
        core.is_ending = drain.is_set
        self._client = client
        self._spool = spool
        self._delivery = Delivery(client, spool)
        self._drain = drain
        self._backoff = backoff
        self._wait_s = wait_s
        self._device = device
        self._errands = errands
        self._waits_for = waits_for
        self._check_s = check_s
        self._ask_at_s = 0.0
        """When to ask for errands again; on a clock that never goes back."""

    async def run(self) -> None:
        """Work until drained; cancel the task to give the lease at work back at once.

        Raises:
            DialOutError: the server refuses the token or the version of this agent.
            UpgradedError: the agent was upgraded and must be started again.
        """
        while not self._drain.is_set():
            try:
                await self._delivery.send_all()
                await self._do_errands()
                lease = await self._ask_for_lease()
                if lease is not None:
                    await self._work(lease)
                self._backoff.reset()
            except (NoAnswerError, RequestRefusedError) as error:
                _raise_if_lasting(error, self._client.url)
                await self._pause(error)
        try:
            await self._delivery.send_all()
        except (NoAnswerError, RequestRefusedError) as error:
            _log.warning("%d results stay in the spool until the next start: %s", len(self._spool), error)

    async def _do_errands(self) -> None:
        """Do what the server asks for, if it may have something; what fails is told by a heartbeat."""
        is_due = time.monotonic() >= self._ask_at_s and self._core.lease_id is None
        if self._errands is None or not is_due:
            return
        self._ask_at_s = time.monotonic() + _ASK_EVERY_S
        failure = await self._errands.do(await self._client.heartbeat(Heartbeat()))
        if failure:
            await self._client.heartbeat(Heartbeat(upgrade_failure=failure))

    async def _ask_for_lease(self) -> Lease | None:
        """Long-poll for work; None also when drained meanwhile, or while the owner's conditions lack."""
        environment = await asyncio.to_thread(read_environment)
        lacking = self._waits_for(environment)
        request = LeaseRequest(
            environment=environment,
            device=self._device,
            waiting_for=lacking,
            does_errands=self._errands is not None,
        )
        lease = await self._poll(request)
        if not lacking:
            return lease
        self._ask_at_s = 0.0
        if lease is not None:
            await self._give_back(lease)  # the owner's conditions hold whatever a server does
        await self._rest(self._check_s)
        return None

    async def _poll(self, request: LeaseRequest) -> Lease | None:
        # The first answer comes at once, so that the server knows the device before it waits for work.
        wait_s = 0.0 if request.device is not None or request.waiting_for else self._wait_s
        poll = asyncio.create_task(self._client.lease(request, wait_s))
        drained = asyncio.create_task(self._drain.wait())
        began_s = time.monotonic()
        try:
            await asyncio.wait((poll, drained), return_when=asyncio.FIRST_COMPLETED)
            if not poll.done():
                return None
            lease = await poll
            self._device = None
            if lease is None and time.monotonic() - began_s <= wait_s / 2:
                self._ask_at_s = 0.0  # an answer before its time: something is asked of this device
            return lease
        finally:
            poll.cancel()
            drained.cancel()

    async def _work(self, lease: Lease) -> None:
        """Run a lease with heartbeats beside it; its results are on disk before they are sent together.

        They come all at its end, since the networks of a lease take turns.
        """
        _log.info("lease %s: %d items under %s", lease.lease_id, len(lease.items), lease.conditions)
        lost = asyncio.Event()
        heartbeats = asyncio.create_task(self._send_heartbeats(lease, lost))
        try:
            refusal = await self._fetch_artifacts(lease)
            if refusal is not None:
                for result in _unmeasured(lease, "error", refusal):
                    self._spool.add(result)
            elif not lost.is_set():
                await self._measure(lease, lost)
        except AgentBusyError as error:
            for result in _unmeasured(lease, "deferred", str(error)):
                self._spool.add(result)
            await self._pause(error)
        except asyncio.CancelledError:
            heartbeats.cancel()
            await self._give_back(lease)
            raise
        finally:
            heartbeats.cancel()
        await self._delivery.send_all()

    async def _measure(self, lease: Lease, lost: asyncio.Event) -> None:
        async for result in LeaseThread(self._core, lease).results():
            if lost.is_set():
                continue  # the lease is in another hand
            if self._drain.is_set() and result.status == "error":
                lost.set()  # what fails while everything is being stopped says nothing of the network
                self._core.cancel(lease.lease_id, "the agent stops")
                await self._give_back(lease)
                continue
            self._spool.add(result)
            _log.info(
                "lease %s, item %s: %s %s",
                lease.lease_id,
                result.item_id,
                result.status,
                result.reason or "",
            )

    async def _give_back(self, lease: Lease) -> None:
        """Let the server hand the lease out again at once; unanswered, it does so when the ttl is over."""
        try:
            async with asyncio.timeout(_GIVE_BACK_TIMEOUT_S):
                await self._client.give_back(lease)
        except (NoAnswerError, RequestRefusedError, TimeoutError) as error:
            _log.warning("lease %s was not given back, it runs out instead: %s", lease.lease_id, error)
        else:
            _log.info("lease %s was given back; the server hands it out again", lease.lease_id)

    async def _fetch_artifacts(self, lease: Lease) -> str | None:
        """Fetch the model files that are not here yet; return why one cannot be had."""
        for artifact in self._core.missing_artifacts(lease):
            try:
                with self._core.artifacts.writing(artifact.sha256, artifact.size_bytes) as file:
                    await self._client.artifact(artifact.sha256, file.write)
            except ArtifactMismatchError as error:
                return str(error)
            except RequestRefusedError as error:
                if error.status != 404:
                    raise
                return f"the server does not have artifact {artifact.sha256}: {error.body.detail}"
        return None

    async def _send_heartbeats(self, lease: Lease, lost: asyncio.Event) -> None:
        """Renew the lease until cancelled; stop it, and set ``lost``, if the server says so.

        While the server does not answer, the measurement goes on: its results wait in the spool, and
        the fence tells whether the server still wants them.
        """
        interval_s = _FIRST_HEARTBEAT_INTERVAL_S
        while not lost.is_set():
            environment = await asyncio.to_thread(read_environment)
            beat = Heartbeat(lease.lease_id, lease.fence, self._core.progress, environment)
            self._core.renew(lease.lease_id, lease.ttl_s)
            try:
                async with asyncio.timeout(lease.ttl_s / 3):
                    reply = await self._client.heartbeat(beat)
            except (NoAnswerError, TimeoutError) as error:
                _log.warning(
                    "heartbeat failed, the measurement goes on: %s", str(error) or "no answer in time"
                )
            except RequestRefusedError as error:
                if error.is_temporary:
                    _log.warning("heartbeat failed: %s", error)
                else:
                    self._give_up(lease, lost, str(error))
            else:
                interval_s = max(_SHORTEST_HEARTBEAT_INTERVAL_S, reply.interval_s)
                if reply.cancel:
                    self._give_up(lease, lost, "the server cancelled the lease")
            await asyncio.sleep(min(interval_s, lease.ttl_s / 3))

    def _give_up(self, lease: Lease, lost: asyncio.Event, reason: str) -> None:
        _log.info("lease %s stopped: %s", lease.lease_id, reason)
        lost.set()
        self._core.cancel(lease.lease_id, reason)

    async def _pause(self, error: Exception) -> None:
        asked_s = error.retry_after_s if isinstance(error, RequestRefusedError) else 0.0
        pause_s = self._backoff.next_s(asked_s)
        _log.warning("%s; next attempt in %.1f s", error, pause_s)
        await self._rest(pause_s)

    async def _rest(self, pause_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._drain.wait(), pause_s)


def _raise_if_lasting(error: Exception, url: str) -> None:
    """Raise ``DialOutError`` if trying again cannot help."""
    if not isinstance(error, RequestRefusedError):
        return
    if error.status in (WRONG_TOKEN, _WRONG_DEVICE):
        raise DialOutError(
            f"{url} refuses this device's token: {error.body.detail}. Either the device was removed there, "
            "or another server answers. To measure for it again, make a token on the server "
            "('search-server token create --scope enrol') and enrol: "
            f"profiler-agent enrol {url} --replace. To take the agent away, type the line that installed "
            "it, with --uninstall"
        ) from error
    if error.status == _WRONG_VERSION:
        raise DialOutError(
            f"{url} refuses this agent's version: {error.body.detail}. "
            f"The server has the agent that it wants: curl -fsS {url}/install/agent.sh | sh"
        ) from error


def _unmeasured(lease: Lease, status: Status, reason: str) -> Iterator[Result]:
    for item in lease.items:
        yield Result(lease.lease_id, lease.fence, item.item_id, status, reason)
