"""Kills at random moments under load: what was acknowledged is there once, and every job ends as it would.

A server, a worker and three agents that simulate a device run as real processes, beside agents that
answer at once. First a search of each seed, a profile and measurements are left alone. Then the same jobs
are asked for again and again, while at random moments the server, the worker, an agent, a measuring
process, the process of a search or the database is killed with SIGKILL and started again after a random
pause. (Of SQLite, which has no process, the write lock is held.) In the end all that was acknowledged is
looked up, and all that is left behind.

    python -m benchmarks.kills --database postgresql --kills 50
"""

import argparse
import asyncio
import hashlib
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks.asked_jobs import (
    Asker,
    Asking,
    Ended,
    differences,
    draw_images,
    measuring,
    profiling,
    searching,
)
from benchmarks.killed_services import (
    TARGETS,
    HeldSqlite,
    KilledDatabase,
    KilledPostgres,
    Laboratory,
    laboratory,
)
from benchmarks.load_agents import LoadAgent, Tally
from benchmarks.load_server import DATABASE_KINDS
from benchmarks.machine import figures_parser, print_figures, say
from search_server.client.async_search_client import AsyncSearchClient
from search_server.clock import utc_now
from search_server.db.models import JobRow, LeaseRow, ResultRow
from search_server.db.session import Database
from search_server.jobs.registry import ENDED
from search_server.leases.stored_result import unpack_result
from search_server.tokens import create_token
from shared.protocol.wire import to_json

NUM_MEASUREMENTS = 4

References = dict[tuple[str, int], Ended]


async def play(laboratory: Laboratory, options: argparse.Namespace) -> dict[str, Any]:
    """Let all jobs run alone, then under kills, and return what came of it."""
    generator, tally = random.Random(options.seed), Tally()
    draw_images(laboratory.folder / "data" / "images")
    database = Database(laboratory.database.url)
    with database.transaction() as session:
        user = create_token(session, "admin", utc_now())
        tokens = [create_token(session, "enrol", utc_now()) for _ in range(options.agents)]
    lives = [
        asyncio.create_task(
            LoadAgent(f"pi-{n}", laboratory.server.url, token, tally, random.Random(n)).live()
        )
        for n, token in enumerate(tokens)
    ]
    while len(tally.enrolled) + len(tally.failures) < options.agents:
        await asyncio.sleep(0.1)
    try:
        async with AsyncSearchClient(laboratory.server.url, user) as client:
            asker = Asker(client)
            askings = await _askings(asker, options)
            begin_s = time.monotonic()
            alone = await asyncio.gather(*(_each(asker, *asking) for asking in askings))
            references = {(ended.name, ended.number): ended for each in alone for ended in each}
            bad = [ended for ended in references.values() if ended.status != "done"]
            if bad:
                raise RuntimeError(f"left alone, {bad[0].name} ended with: {bad[0].message}")
            say(f"{len(references)} jobs, left alone: {time.monotonic() - begin_s:.0f} s")
            is_over, ends = asyncio.Event(), list[Ended]()
            loops = [asyncio.create_task(_again(asker, *asking, ends, is_over)) for asking in askings]
            begin_s = time.monotonic()
            kills = await _kill(laboratory, generator, options)
            is_over.set()
            say(f"killed for {time.monotonic() - begin_s:.0f} s; waiting for {len(loops)} jobs")
            await asyncio.gather(*loops)
            await asyncio.sleep(2.0)  # a result that was cut off is sent again
    finally:
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
    await asyncio.to_thread(laboratory.stop)
    figures = {
        "kills": dict(kills),
        "acknowledged_jobs": dict(Counter(ended.name for ended in ends)),
        "jobs_that_ended_otherwise": list(_otherwise(references, ends)),
        **_stored(database, laboratory, tally),
        "refused_for_now": asker.num_refused,
        "agents_that_gave_up": tally.failures,
        **_left_behind(database, laboratory),
    }
    database.close()
    return figures


async def _askings(asker: Asker, options: argparse.Namespace) -> list[tuple[Asking, int]]:
    """Return what is asked for, and of each how many different ones there are."""
    profile = await asker.ask(profiling("searched"), 0)
    if profile.status != "done":
        raise RuntimeError(f"the profile of the search's device ended with: {profile.message}")
    table = await anext(asker.client.tables("searched"))
    target_ms = ((table.fastest_us or 1.0) * (table.slowest_us or 1.0)) ** 0.5 / 1000
    return [
        (searching(table.snapshot, target_ms), options.searches),
        (profiling("profiled"), 1),
        (measuring("measured"), NUM_MEASUREMENTS),
        *((measuring(f"pi-{number}"), NUM_MEASUREMENTS) for number in range(options.agents)),
    ]


async def _each(asker: Asker, asking: Asking, num_different: int) -> list[Ended]:
    return [await asker.ask(asking, number) for number in range(num_different)]


async def _again(
    asker: Asker, asking: Asking, num_different: int, ends: list[Ended], is_over: asyncio.Event
) -> None:
    number = 0
    while not is_over.is_set():
        ends.append(await asker.ask(asking, number % num_different))
        number += 1


async def _kill(
    laboratory: Laboratory, generator: random.Random, options: argparse.Namespace
) -> Counter[str]:
    kills: Counter[str] = Counter()
    while kills.total() < options.kills:
        await asyncio.sleep(generator.uniform(0, options.gap_s))
        target, pause_s = generator.choice(options.targets), generator.uniform(0, options.pause_s)
        done = await asyncio.to_thread(laboratory.kill, target, pause_s, generator)
        if done:
            kills[target] += 1
            say(f"{kills.total():>3} {done}")
    return kills


def _otherwise(references: References, ends: list[Ended]) -> Iterator[dict[str, Any]]:
    for ended in ends:
        reference = references[ended.name, ended.number]
        if ended.status != reference.status:
            yield {"job": ended.job_id, "name": ended.name, "status": ended.status, "why": ended.message}
        elif ended.answer != reference.answer:
            how = list(differences(reference.answer, ended.answer))
            yield {"job": ended.job_id, "name": ended.name, "number": ended.number, "how": how[:5]}


def _stored(database: Database, laboratory: Laboratory, tally: Tally) -> dict[str, Any]:
    """Return how many of the acknowledged results are stored as they were sent, and once."""
    lines = laboratory.receipts.read_text().splitlines()
    receipts = {(lease, int(fence), item): sha256 for lease, fence, item, sha256 in map(str.split, lines)}
    stored: Counter[tuple[str, int, str]] = Counter()
    num_changed = 0
    with database.reading() as session:
        for row in session.scalars(select(ResultRow).execution_options(yield_per=100)):
            key = row.lease_id, row.fence, row.item_id
            stored[key] += 1
            sent = receipts.get(key)
            result = unpack_result(row.result_id, row.body, row.body_sha256)
            num_changed += sent not in (None, hashlib.sha256(to_json(result).encode()).hexdigest())
    acknowledged = tally.acknowledged | receipts.keys()
    return {
        "num_acknowledged_results": len(acknowledged),
        "num_of_real_agents": len(receipts),
        "num_lost": len(acknowledged - stored.keys()),
        "num_doubled": sum(stored.values())
        - len(stored)
        + sum(count - 1 for count in tally.hand_outs.values()),
        "num_changed": num_changed,
    }


def _left_behind(database: Database, laboratory: Laboratory) -> dict[str, Any]:
    """Return processes, files and rows that nobody works on any more."""
    with database.reading() as session:
        unfinished = select(func.count()).where(JobRow.status.not_in(ENDED))
        held = select(func.count()).where(LeaseRow.status.in_(("pending", "leased")))
        rows = {"jobs": session.scalar(unfinished), "leases": session.scalar(held)}
    database.close()
    laboratory.database.close()
    own = [path for path in laboratory.folder.rglob("*") if "postgres" not in path.parts]
    torsos = [str(path.relative_to(laboratory.folder)) for path in own if path.suffix == ".part"]
    scratch = [str(path) for path in own if path.parent.name == "scratch"]
    spooled = [str(path) for path in own if path.parent.name in ("spool", "refused") and path.is_file()]
    logs = [path for path in own if path.suffix == ".log"]
    return {
        "left_rows": {name: count for name, count in rows.items() if count},
        "left_processes": [command for _, command in laboratory.processes()],
        "left_files": torsos + scratch + spooled,
        "tracebacks": {
            path.name: count for path in logs if (count := path.read_text().count("Traceback (most"))
        },
    }


def _held_sqlite(folder: Path, _: str) -> KilledDatabase:
    return HeldSqlite(folder / "edgenas.db")


def _killed_postgres(folder: Path, mark: str) -> KilledDatabase:
    return KilledPostgres(folder / "postgres", mark)


@contextmanager
def _kept(folder: Path, target: Path | None) -> Iterator[None]:
    """Copy what lies in a folder to another one in the end, if there is one."""
    try:
        yield
    finally:
        if target is not None:
            others = shutil.ignore_patterns("postgres")
            shutil.copytree(folder, target / folder.name, ignore=others, dirs_exist_ok=True)


def main() -> None:
    """Play on each database; print the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--database", choices=(*DATABASE_KINDS, "both"), default="both")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument(
        "--targets", type=lambda text: text.split(","), default=TARGETS, help=",".join(TARGETS)
    )
    parser.add_argument("--gap-s", type=float, default=8.0, help="longest time between two kills")
    parser.add_argument(
        "--pause-s", type=float, default=5.0, help="longest time until what was killed is back"
    )
    parser.add_argument("--searches", type=int, default=2, help="how many different ones")
    parser.add_argument("--agents", type=int, default=4, help="that answer at once, beside the real ones")
    parser.add_argument("--keep", type=Path, help="a folder that logs and databases are copied to")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a stop, too, leaves nothing behind
    for kind in DATABASE_KINDS if options.database == "both" else (options.database,):
        with (
            tempfile.TemporaryDirectory(prefix="edgenas-kills-") as folder,
            _kept(Path(folder), options.keep),
            laboratory(Path(folder), _held_sqlite if kind == "sqlite" else _killed_postgres) as running,
        ):
            figures = asyncio.run(play(running, options))
        print_figures({"benchmark": "kills", "database": kind, "seed": options.seed, **figures})


if __name__ == "__main__":
    main()
