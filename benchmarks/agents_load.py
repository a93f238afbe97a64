"""Many agents that dial out, against one real server process: enrol, poll, measure, and two restarts.

All agents enrol at once. They idle for a while: memory and processor time of the server. Then jobs are
queued at a steady rate: how soon an agent has its job. Then the server is stopped with SIGTERM, and killed
with SIGKILL once or more often, while jobs go on: how long until all agents are back, at worst. In the end
every job that was acknowledged must have ended, and every result that was acknowledged must be stored
exactly once.

    python -m benchmarks.agents_load --database sqlite --agents 10,100,1000
"""

import argparse
import asyncio
import math
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import func, select

from benchmarks.load_agents import LoadAgent, Tally
from benchmarks.load_server import DATABASE_KINDS, LoadServer, started_server
from benchmarks.machine import figures_parser, print_figures, say
from search_server.client import endpoints
from search_server.client.async_search_client import AsyncSearchClient
from search_server.client.errors import ServerRefusedError, ServerUnreachableError, UnexpectedAnswerError
from search_server.clock import utc_now
from search_server.db.models import DeviceRow, JobRow, ResultRow
from search_server.db.session import Database
from search_server.jobs.registry import ENDED
from search_server.resources.latencies import MeasurementCreate
from search_server.tokens import create_token
from shared.protocol.device import Conditions

SPACE = "fbnet-tiny"
LONGEST_S = 180.0
"""So long is waited for anything."""


@dataclass(slots=True)
class Jobs:
    """What was asked for, and how soon an agent had it."""

    tally: Tally
    client: AsyncSearchClient
    generator: random.Random
    rate: float
    """Jobs a second."""
    job_ids: list[str] = field(default_factory=list)
    """Of the jobs that the server acknowledged."""
    pick_ups_s: list[float] = field(default_factory=list)
    """From before a job was asked for until its agent had the lease."""

    async def queue(self, duration_s: float) -> None:
        """Ask for jobs at a steady rate, each for another device; return when all are at work."""
        devices = [credential.device_id for credential in self.tally.enrolled]
        self.generator.shuffle(devices)
        asked = []
        begin_s = time.monotonic()
        for number, device_id in enumerate(devices[: max(1, round(self.rate * duration_s))]):
            await asyncio.sleep(max(0.0, begin_s + number / self.rate - time.monotonic()))
            asked.append(asyncio.create_task(self._ask(device_id)))
        await asyncio.gather(*asked)

    async def _ask(self, device_id: str) -> None:
        create = MeasurementCreate(device_id, SPACE, ("skip",), Conditions(runtime="simulated"))
        request = endpoints.start_measurement(create)  # with a key: asking again is harmless
        self.tally.picked_up.pop(device_id, None)
        begin_s = time.monotonic()
        while True:
            try:
                measurement = await self.client.send(request)
                break
            except (ServerUnreachableError, UnexpectedAnswerError):
                await asyncio.sleep(self.generator.uniform(0.5, 1.5))
            except ServerRefusedError as error:
                if error.status not in (429, 503):
                    raise
                await asyncio.sleep(self.generator.uniform(0.5, 1.5))
        self.job_ids.append(measurement.job.job_id)
        await _until(lambda: device_id in self.tally.picked_up)
        if device_id in self.tally.picked_up:
            self.pick_ups_s.append(self.tally.picked_up[device_id] - begin_s)


async def play(server: LoadServer, num_agents: int, options: argparse.Namespace) -> dict[str, Any]:
    """Let agents live through it all, and return the figures."""
    generator = random.Random(options.seed)
    database = Database(server.database_url)
    with database.transaction() as session:
        tokens = [create_token(session, "enrol", utc_now()) for _ in range(num_agents)]
        user = create_token(session, "user", utc_now())
    tally, memory_bytes = Tally(), server.memory_bytes()
    lives = []
    for number, token in enumerate(tokens):
        name = "pi" if options.same_name else f"pi-{number}"
        agent = LoadAgent(name, server.url, token, tally, random.Random(generator.random()))
        lives.append(asyncio.create_task(agent.live()))
    try:
        async with AsyncSearchClient(server.url, user) as client:
            jobs = Jobs(tally, client, generator, options.rate)
            idle = await _enrol_and_idle(server, database, tally, num_agents, options.idle_s)
            await jobs.queue(options.seconds)
            pick_ups_s = np.array(jobs.pick_ups_s)
            say(f"{len(pick_ups_s)} of {len(jobs.job_ids)} jobs were picked up")
            back = await _restarts(server, database, jobs, options)
            num_unfinished = await _until_ended(database, jobs.job_ids)
            # A result that a restart cut off is sent again.
            await asyncio.sleep(options.idle_s / 3)
    finally:
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
    lost, doubled = _lost_and_doubled(database, tally)
    database.close()
    return {
        "num_agents": num_agents,
        **idle,
        "idle_memory_bytes_per_agent": (idle["idle_memory_bytes"] - memory_bytes) / num_agents,
        "pick_up_p50_s": float(np.median(pick_ups_s)),
        "pick_up_p95_s": float(np.quantile(pick_ups_s, 0.95)),
        "num_jobs": len(jobs.job_ids),
        "num_unfinished_jobs": num_unfinished,
        **back,
        "num_acknowledged_results": len(tally.acknowledged),
        "num_lost": lost,
        "num_doubled": doubled,
        "num_shed": tally.num_shed,
        "num_unanswered": tally.num_unanswered,
        "failures": tally.failures[:3],
    }


async def _enrol_and_idle(
    server: LoadServer, database: Database, tally: Tally, num_agents: int, idle_s: float
) -> dict[str, Any]:
    begin_s, begin = time.monotonic(), utc_now()
    await _until(lambda: len(tally.enrolled) + len(tally.failures) >= num_agents)
    enrol_s = time.monotonic() - begin_s
    await _until_seen(database, begin, len(tally.enrolled))
    say(f"{len(tally.enrolled)} of {num_agents} agents enrolled in {enrol_s:.1f} s")
    await _until_quiet(server)
    cpu_s, idle_begin_s = server.cpu_s(), time.monotonic()
    await asyncio.sleep(idle_s)
    cpu_share = (server.cpu_s() - cpu_s) / (time.monotonic() - idle_begin_s)
    return {
        "num_failed_enrolments": num_agents - len(tally.enrolled),
        "enrol_s": enrol_s,
        "idle_memory_bytes": server.memory_bytes(),
        "idle_cpu_share": cpu_share,
        "idle_cpu_ms_per_agent_and_minute": cpu_share / num_agents * 60e3,
    }


async def _until_quiet(server: LoadServer) -> None:
    """Wait until the server has answered the first polls, and so uses less than half a core."""
    end_s, share = time.monotonic() + LONGEST_S, 1.0
    while share > 0.5 and time.monotonic() < end_s:
        begin_s, cpu_s = time.monotonic(), server.cpu_s()
        await asyncio.sleep(2.0)
        share = (server.cpu_s() - cpu_s) / (time.monotonic() - begin_s)


async def _restarts(
    server: LoadServer, database: Database, jobs: Jobs, options: argparse.Namespace
) -> dict[str, float]:
    """End and start the server at random moments; return how long all agents took to be back."""
    back_s: dict[str, list[float]] = {"sigterm": [], "sigkill": []}
    for number in (signal.SIGTERM, *[signal.SIGKILL] * options.kills):
        queueing = asyncio.create_task(jobs.queue(options.seconds / 2))
        await asyncio.sleep(jobs.generator.uniform(0.1, 0.9) * options.seconds / 2)
        stop_s = time.monotonic()
        await asyncio.to_thread(server.stop, number)
        begin_s, begin = time.monotonic(), utc_now()
        await asyncio.to_thread(server.start)
        is_back = await _until_seen(database, begin, len(jobs.tally.enrolled))
        back_s[number.name.lower()].append(time.monotonic() - begin_s if is_back else math.inf)
        say(f"{number.name}: stopped in {begin_s - stop_s:.1f} s, all back: {is_back}")
        await queueing
    return {f"back_after_{name}_s": max(times_s) for name, times_s in back_s.items() if times_s}


async def _until_seen(database: Database, since: datetime, num_devices: int) -> bool:
    """Wait until the server has heard of so many devices since a time."""
    statement = select(func.count()).select_from(DeviceRow).where(DeviceRow.last_seen_at >= since)
    return await _until_counted(database, statement, lambda count: count >= num_devices)


async def _until_ended(database: Database, job_ids: list[str]) -> int:
    """Wait for jobs; return how many have not ended as they should, with success."""
    jobs = select(func.count()).select_from(JobRow).where(JobRow.job_id.in_(job_ids))
    unfinished = jobs.where(JobRow.status.not_in(ENDED))
    await _until_counted(database, unfinished, lambda count: count == 0)
    with database.reading() as session:
        done = session.scalar(jobs.where(JobRow.status == "done"))
    return len(job_ids) - (done or 0)


async def _until_counted(database: Database, statement: Any, is_so: Callable[[int], bool]) -> bool:
    def count() -> int:
        with database.reading() as session:
            return session.scalar(statement) or 0

    end_s = time.monotonic() + LONGEST_S
    while not is_so(await asyncio.to_thread(count)):
        if time.monotonic() > end_s:
            return False
        await asyncio.sleep(0.25)
    return True


async def _until(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LONGEST_S
    while not is_so() and time.monotonic() < end_s:
        await asyncio.sleep(0.01)


def _lost_and_doubled(database: Database, tally: Tally) -> tuple[int, int]:
    """Return how many acknowledged results are not stored, and how many things are there twice."""
    with database.reading() as session:
        rows = session.execute(select(ResultRow.lease_id, ResultRow.fence, ResultRow.item_id)).all()
    stored = [tuple(row) for row in rows]
    doubled = len(stored) - len(set(stored)) + sum(count - 1 for count in tally.hand_outs.values())
    return len(tally.acknowledged - set(stored)), doubled


def main() -> None:
    """Play with each number of agents on each database; print the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--database", choices=(*DATABASE_KINDS, "both"), default="both")
    parser.add_argument("--agents", default="10,100,1000", help="numbers of agents, one after another")
    parser.add_argument("--rate", type=float, default=5.0, help="jobs queued a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long jobs are queued")
    parser.add_argument("--idle-s", type=float, default=15.0, help="how long agents idle")
    parser.add_argument(
        "--kills", type=int, default=1, help="SIGKILLs at random moments, after the SIGTERM"
    )
    parser.add_argument("--same-name", action="store_true", help="all devices have the same name")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kinds = DATABASE_KINDS if options.database == "both" else (options.database,)
    figures = []
    for kind in kinds:
        for num_agents in map(int, options.agents.split(",")):
            say(f"{num_agents} agents on {kind}")
            with started_server(kind, {"EDGENAS_MAX_QUEUED_JOBS": "100000"}) as server:
                figures.append({"database": kind, **asyncio.run(play(server, num_agents, options))})
            if not options.json:
                for name, value in figures[-1].items():
                    print(
                        f"  {name:<32} {value:.3g}" if isinstance(value, float) else f"  {name:<32} {value}"
                    )
    print_figures({"benchmark": "agents_load", "seed": options.seed, "figures": figures})


if __name__ == "__main__":
    main()
