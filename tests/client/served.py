"""The real app on a real port, with a database of its own, and things in it to look at."""

import math
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvicorn

from search_server.app import create_app
from search_server.client import SearchClient
from search_server.db.migrate import migrate_to_head
from search_server.db.session import Database
from search_server.jobs.registry import finish_job
from search_server.latency.stored.snapshots import store_table
from search_server.latency.table import LatencyTable, TableEntry
from search_server.latency.verdict import Verdict
from search_server.logs import configure_logs
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import SearchStep
from search_server.searches.recording import record_architecture, record_step, set_progress
from search_server.settings import Settings
from search_server.tokens import Scope, create_token
from shared.architecture import random_architecture, uniform_architecture
from shared.protocol.device import Conditions, Device, DeviceCreate, DeviceCredential, RuntimeInfo
from shared.protocol.wire import from_json, to_dict, to_json
from shared.search_space import search_space
from shared.workload import IDENTITY_KEY, segment_key

SPACE = search_space("fbnet-tiny")
CONDITIONS = Conditions(runtime="simulated", runtime_version="1")
DEVICE = Device(
    name="bench",
    system="Linux 6.1.0",
    machine="aarch64",
    platform="linux-aarch64",
    num_cores=8,
    cpu_model="Cortex-A78",
    core_max_khz=(1_800_000,) * 4 + (2_850_000,) * 4,
    memory_bytes=8 * 2**30,
    python_version="3.11.2",
    agent_version="0.1.0",
    runtimes=(RuntimeInfo("simulated", "1"), RuntimeInfo("onnxruntime", "1.32.0")),
    unknown=("battery_percent",),
)
VERDICT = Verdict(True, (), 0.011, 0.014, 0.038, 0.0099, 1.12)


@dataclass(frozen=True, slots=True)
class Served:
    """A running server and what a test needs of it."""

    url: str
    token: str
    database: Database

    def client(self) -> SearchClient:
        """Return a client that is signed in."""
        return SearchClient(self.url, self.token)

    def new_token(self, scope: Scope) -> str:
        """Return a fresh token."""
        with self.database.transaction() as session:
            return create_token(session, scope, datetime.now(UTC))

    def enrol(self, name: str = "bench") -> DeviceCredential:
        """Enrol a device, as its agent would."""
        create = DeviceCreate(replace(DEVICE, name=name))
        headers = {"Authorization": f"Bearer {self.new_token('enrol')}", "Content-Type": "application/json"}
        answer = httpx.post(f"{self.url}/api/v1/devices", content=to_json(create), headers=headers)
        return from_json(answer.raise_for_status().content, DeviceCredential)

    def store(self, table: LatencyTable) -> str:
        """Store a table and return its snapshot."""
        with self.database.transaction() as session:
            return store_table(session, table, datetime.now(UTC))

    def record(self, job_id: str, steps: tuple[SearchStep, ...]) -> None:
        """Write down steps of a search, as a worker would."""
        with self.database.transaction() as session:
            for step in steps:
                record_step(session, job_id, step)
            set_progress(
                session, job_id, 0.05 * len(steps), f"epoch {len(steps)} of 20", "search the supernet"
            )

    def finish(self, job_id: str, architectures: tuple[FoundArchitecture, ...]) -> None:
        """End a search with what it found."""
        with self.database.transaction() as session:
            for network in architectures:
                record_architecture(session, job_id, network)
            finish_job(session, job_id, datetime.now(UTC), result=to_dict(architectures[0]))


@contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """Run the app in a thread until the block ends; its logs go to stderr, as those of the server do."""
    configure_logs()
    settings = Settings(data=folder)
    database = Database(settings.url)
    migrate_to_head(database.engine)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(settings, poll_s=0.02), log_config=None, ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with database.transaction() as session:
            token = create_token(session, "user", datetime.now(UTC))
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", token, database)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        database.close()


def table(device_id: str, scale: float = 1.0) -> LatencyTable:
    """Return a whole table whose latencies follow the multiply-accumulates."""
    bare = LatencyTable(SPACE.name, device_id, CONDITIONS, 1000.0, {}, 0.01, datetime.now(UTC).isoformat())
    segments = [
        (SPACE.candidate(layer, block), layer.input_shape)
        for layer in SPACE.layers
        for block in SPACE.candidates
    ]
    head_input = segments[-1][0].output_shape(segments[-1][1])
    segments += [(SPACE.stem(), SPACE.input_shape), (SPACE.head(), head_input)]
    entries = {
        segment_key(segment, shape): TableEntry(scale * (0.008 + segment.macs(shape) / 4e7), 0.0004, 24)
        for segment, shape in segments
    }
    entries.pop(IDENTITY_KEY, None)
    return replace(bare, entries=entries, verdict=VERDICT, is_simulated=True)


def search_steps(num_epochs: int = 20, num_warmup: int = 4) -> tuple[SearchStep, ...]:
    """Return the steps of a search that becomes decided and comes down to 0.55 ms."""
    generator = random.Random(1)
    layers, candidates = SPACE.num_layers, len(SPACE.candidates)
    favourites = [generator.randrange(candidates) for _ in range(layers)]
    return tuple(_step(epoch, num_warmup, favourites, candidates, generator) for epoch in range(num_epochs))


def compared() -> tuple[FoundArchitecture, ...]:
    """Return a found network, one that was sampled with it and is too slow, and the baselines."""
    found, sampled = (random_architecture(SPACE, random.Random(seed)) for seed in (2, 4))
    rival = random_architecture(SPACE, random.Random(3))
    uniform = uniform_architecture(SPACE, "k3_e3")
    return (
        FoundArchitecture("found", str(found), 6_200_000, 310_000, 541.0, 548.0, 0.887, 0.881),
        FoundArchitecture("found", str(sampled), 6_800_000, 330_000, 549.0, 561.0),
        FoundArchitecture("uniform", str(uniform), 6_900_000, 250_000, 556.0, 561.0, 0.861, 0.858),
        FoundArchitecture("random", str(rival), 6_100_000, 290_000, 549.0, 545.0, 0.866, 0.860),
    )


def _step(
    epoch: int, num_warmup: int, favourites: list[int], num_candidates: int, generator: random.Random
) -> SearchStep:
    is_warmup = epoch < num_warmup
    sharpness = 0.0 if is_warmup else (epoch - num_warmup + 1) / 4
    theta = tuple(_softmax(sharpness, favourite, num_candidates, generator) for favourite in favourites)
    entropy = sum(-sum(p * math.log(p) for p in row) for row in theta) / len(theta)
    latency_us = 900.0 if is_warmup else 550.0 + 350.0 * math.exp(-(epoch - num_warmup) / 4)
    return SearchStep(
        step=epoch,
        epoch=epoch,
        phase="warmup" if is_warmup else "search",
        weight_loss=0.3 + 2.2 * math.exp(-epoch / 9),
        theta_loss=None if is_warmup else 0.4 + 2.0 * math.exp(-epoch / 10),
        accuracy=0.9 - 0.75 * math.exp(-epoch / 6),
        expected_latency_us=latency_us + generator.uniform(-12, 12),
        entropy=entropy,
        tau=5.0 * 0.956**epoch,
        images_per_s=2100.0,
        theta=theta,
    )


def _softmax(sharpness: float, favourite: int, size: int, generator: random.Random) -> tuple[float, ...]:
    weights = [
        math.exp(sharpness * (1.5 if index == favourite else generator.random())) for index in range(size)
    ]
    return tuple(weight / sum(weights) for weight in weights)
