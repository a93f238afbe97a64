"""One real server process with much in its database: tables read, results taken in, 200 browsers watching.

For each number of stored samples: the database is filled in bulk; tables are read one after another;
results of profiled leases are sent by several agents as fast as the server takes them, those of a lease in
one request as a real agent sends them (a segment record is one segment of one network with its runs);
tables are read again while browsers watch a job, and the job's end is announced to all of them. What
follows from complete profiles, the fit, is no part of this.

    python -m benchmarks.server_load --database postgresql --samples 100000,1000000,10000000
"""

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import update

from benchmarks.load_agents import device
from benchmarks.load_history import Template, add_open_leases, fill, make_template, watched_job
from benchmarks.load_server import DATABASE_KINDS, LoadServer, started_server
from benchmarks.machine import figures_parser, print_figures, say
from search_server.clock import utc_now
from search_server.db.models import JobRow
from search_server.db.session import Database
from search_server.devices.registry import enrol
from search_server.store import Store
from search_server.tokens import Caller, create_token
from shared.protocol.device import DeviceCreate
from shared.protocol.wire import to_json

NUM_BROWSERS = 200
LONGEST_S = 60.0
_PLACE = "the lease's id"


async def play(server: LoadServer, num_samples: int, options: argparse.Namespace) -> dict[str, Any]:
    """Fill the database, put load on the server, and return the figures."""
    database = Database(server.database_url)
    with database.transaction() as session:
        template = make_template(session, Store.at(server.folder))
        user = create_token(session, "user", utc_now())
    begin_s = time.monotonic()
    snapshots = fill(database, template, num_samples)
    say(f"{num_samples} samples, {len(snapshots)} tables: written in {time.monotonic() - begin_s:.0f} s")
    headers, generator = {"Authorization": f"Bearer {user}"}, random.Random(options.seed)
    limits = httpx.Limits(max_connections=NUM_BROWSERS + 10)
    async with httpx.AsyncClient(
        base_url=f"{server.url}/api/v1", headers=headers, timeout=LONGEST_S, limits=limits, trust_env=False
    ) as http:
        paths = [
            f"/latency-tables/{snapshot}" for snapshot in generator.choices(snapshots, k=options.reads)
        ]
        table_s = await _read(http, paths)
        list_s = await _read(http, ["/latency-tables?limit=50"] * (options.reads // 4))
        records_per_s = await _take_in(server, database, template, options)
        say(f"tables read in {table_s[1] * 1e3:.0f} ms (p95); {records_per_s:.0f} segment records a second")
        watching = await _watch(http, database, template, paths)
    database.close()
    return {
        "num_samples": num_samples,
        "table_read_p50_ms": table_s[0] * 1e3,
        "table_read_p95_ms": table_s[1] * 1e3,
        "table_list_p95_ms": list_s[1] * 1e3,
        "segment_records_per_s": records_per_s,
        **watching,
        "server_memory_bytes": server.memory_bytes(),
    }


async def _read(http: httpx.AsyncClient, paths: Sequence[str]) -> tuple[float, float]:
    """Read one after another; return median and 95th percentile in seconds."""
    times_s = []
    for path in paths:
        begin_s = time.monotonic()
        (await http.get(path)).raise_for_status()
        times_s.append(time.monotonic() - begin_s)
    return float(np.median(times_s)), float(np.quantile(times_s, 0.95))


async def _take_in(
    server: LoadServer, database: Database, template: Template, options: argparse.Namespace
) -> float:
    """Let agents send results for a while; return segment records a second."""
    agents = []
    like = to_json(tuple(replace(answer, lease_id=_PLACE) for answer in template.answers))
    with database.transaction() as session:
        for number in range(options.agents):
            token = create_token(session, "enrol", utc_now())
            create = DeviceCreate(device(f"sender-{number}"))
            credential = enrol(session, Caller(token.split("_")[2], "enrol"), create, utc_now())
            leases = add_open_leases(session, template, credential.device_id, options.leases)
            agents.append((credential.token, leases))
    num_leases = 0

    async def send(http: httpx.AsyncClient, token: str, leases: Sequence[str], end_s: float) -> None:
        nonlocal num_leases
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        for lease_id in leases:
            if time.monotonic() > end_s:
                return
            path = f"/api/v1/agent/leases/{lease_id}/results/batch"
            body = like.replace(_PLACE, lease_id)
            (await http.post(path, content=body, headers=headers)).raise_for_status()
            num_leases += 1
        raise RuntimeError("all results are sent before the time is over; choose more with --leases")

    async with httpx.AsyncClient(base_url=server.url, timeout=LONGEST_S, trust_env=False) as http:
        begin_s = time.monotonic()
        end_s = begin_s + options.seconds
        await asyncio.gather(*(send(http, token, leases, end_s) for token, leases in agents))
    num_records = num_leases * sum(len(answer.nodes) for answer in template.answers)
    return num_records / (time.monotonic() - begin_s)


async def _watch(
    http: httpx.AsyncClient, database: Database, template: Template, paths: Sequence[str]
) -> dict[str, float]:
    """Read tables while browsers watch a job; then end it, and see when all of them heard of that."""
    with database.transaction() as session:
        job_id = watched_job(session, template.table.device_id)
    started = asyncio.Semaphore(0)

    async def browse() -> bool:
        async with http.stream("GET", f"/profiles/{job_id}/events") as stream:
            text = ""
            async for line in stream.aiter_lines():
                if not text:
                    started.release()
                text += line
            return '"done"' in text

    browsers = [asyncio.create_task(browse()) for _ in range(NUM_BROWSERS)]
    for _ in browsers:
        await started.acquire()
    read_s = await _read(http, paths[: len(paths) // 2])
    begin_s = time.monotonic()
    with database.transaction() as session:
        session.execute(update(JobRow).where(JobRow.job_id == job_id).values(status="done"))
    told = await asyncio.gather(*browsers)
    return {
        "num_browsers_told": sum(told),
        "all_browsers_told_after_s": time.monotonic() - begin_s,
        "table_read_p95_ms_while_watched": read_s[1] * 1e3,
    }


def main() -> None:
    """Play with each number of samples on each database; print the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--database", choices=(*DATABASE_KINDS, "both"), default="both")
    parser.add_argument("--samples", default="100000,1000000,10000000", help="one after another")
    parser.add_argument("--agents", type=int, default=8, help="that send results")
    parser.add_argument("--leases", type=int, default=250, help="that each of them can answer")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long results are sent")
    parser.add_argument("--reads", type=int, default=200, help="tables read")
    parser.add_argument("--folder", type=Path, help="where the databases lie meanwhile")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kinds = DATABASE_KINDS if options.database == "both" else (options.database,)
    figures = []
    for kind in kinds:
        for num_samples in map(int, options.samples.split(",")):
            say(f"{num_samples} samples on {kind}")
            with started_server(kind, folder=options.folder) as server:
                figures.append({"database": kind, **asyncio.run(play(server, num_samples, options))})
            if not options.json:
                for name, value in figures[-1].items():
                    print(f"  {name:<32}", f"{value:.4g}" if isinstance(value, float) else value)
    print_figures({"benchmark": "server_load", "seed": options.seed, "figures": figures})


if __name__ == "__main__":
    main()
