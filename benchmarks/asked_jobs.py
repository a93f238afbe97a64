"""Jobs asked for again and again while processes are killed: how each ends must not depend on that."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from search_server.client import endpoints
from search_server.client.async_search_client import AsyncSearchClient
from search_server.client.endpoints import Request
from search_server.client.errors import ServerRefusedError, ServerUnreachableError, UnexpectedAnswerError
from search_server.jobs.registry import ENDED
from search_server.resources.jobs import Job
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.searches import SearchCreate
from search_server.resources.tables import ProfileCreate
from shared.protocol.device import Conditions
from shared.protocol.wire import to_dict

T = TypeVar("T")

SPACE = "own:resolution=8,classes=10,stem=8s1,stages=8x2s1-16x1s2,head=16,blocks=k3_e1-k3_e3-k5_e3-skip"
"""So small that most of a search is its beginning and its end, where a kill does most."""
SIMULATED = Conditions(runtime="simulated")
IMAGES = "ten-classes"
ENDED_WITHIN_S = 900.0

_OF_THE_MOMENT = {
    "measured_at",
    "created_at",
    "images_per_s",
    "peak_memory_bytes",
    "device_time_s",
    "faults_per_run",
    "switches_per_run",
    "job",
}
"""What differs between two runs that are left alone."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A kind of job, which a number makes one of several."""

    name: str
    start: Callable[[int], Request[Any]]
    find: Callable[[str], Request[Any]]


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that the server acknowledged, and how it ended."""

    name: str
    number: int
    job_id: str
    status: str
    message: str
    answer: Mapping[str, Any]
    """What a caller gets of it."""


@dataclass(slots=True)
class Asker:
    """Asks for jobs and waits for them, through whatever happens to the server."""

    client: AsyncSearchClient
    num_refused: dict[int, int] = field(default_factory=dict)
    """Answers with a status of 500 and above, by status."""

    async def ask(self, asking: Asking, number: int) -> Ended:
        """Have a job done, and return how it ended."""
        request = asking.start(number)  # with a key: asking again is harmless
        job: Job = (await self._send(request)).job
        end_s = asyncio.get_running_loop().time() + ENDED_WITHIN_S
        while job.status not in ENDED and asyncio.get_running_loop().time() < end_s:
            await asyncio.sleep(0.5)
            job = (await self._send(asking.find(job.job_id))).job
        resource = await self._send(asking.find(job.job_id))
        answer = to_dict(resource)
        if job.kind == "search":
            steps = await self._send(endpoints.search_steps(job.job_id))
            answer["steps"] = to_dict(steps.items)
        if job.kind == "search" and job.status == "done":
            exported: bytes = await self._send(endpoints.export_search(job.job_id, "torch"))
            answer["torch"] = hashlib.sha256(exported).hexdigest()
        if job.kind == "profile" and resource.snapshot is not None:
            answer["cells"] = to_dict((await self._send(endpoints.table(resource.snapshot))).cells)
            del answer["snapshot"]  # it names the moment, too
        return Ended(asking.name, number, job.job_id, job.status, job.message, _lasting(answer))

    async def _send(self, request: Request[T]) -> T:
        while True:
            try:
                return await self.client.send(request)
            except (ServerUnreachableError, UnexpectedAnswerError):
                pass
            except ServerRefusedError as error:
                if error.status != 429 and error.status < 500:
                    raise
                self.num_refused[error.status] = self.num_refused.get(error.status, 0) + 1
            await asyncio.sleep(0.5)


def draw_images(folder: Path) -> None:
    """Write so few and small images of ten classes that an epoch of a search takes a moment."""
    generator = np.random.default_rng(0)
    for number in range(10):
        class_folder = folder / IMAGES / f"class{number}"
        class_folder.mkdir(parents=True)
        usual = generator.integers(0, 256, (8, 8))
        for index in range(24):
            pixels = np.clip(usual + generator.normal(0, 40, (8, 8)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(class_folder / f"{index}.png")


def searching(snapshot: str, target_ms: float) -> Asking:
    """Return searches that a number seeds."""

    def start(number: int) -> Request[Any]:
        return endpoints.start_search(
            SearchCreate(
                "searched",
                SPACE,
                data=IMAGES,
                target_ms=target_ms,
                epochs=4,
                warmup_epochs=1,
                batch_size=32,
                train_epochs=3,
                num_samples=2,
                snapshot=snapshot,
                compare_baselines=False,
                conditions=SIMULATED,
                seed=number,
            )
        )

    return Asking("search", start, endpoints.search)


def profiling(device: str) -> Asking:
    """Return profiles, all alike."""
    create = ProfileCreate(device, SPACE, SIMULATED, force=True)
    return Asking("profile", lambda _: endpoints.start_profile(create), endpoints.profile)


def measuring(device: str) -> Asking:
    """Return measurements of a few networks, other ones for each number."""

    def start(number: int) -> Request[Any]:
        networks = ("skip", "k3_e1", "k3_e3", "k5_e3")[number % 4 :]
        return endpoints.start_measurement(MeasurementCreate(device, SPACE, networks, SIMULATED))

    return Asking(f"measurement on {device}", start, endpoints.measurement)


def differences(a: Any, b: Any, path: str = "") -> Iterator[str]:
    """Yield where two answers differ, and how."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in sorted(a.keys() | b.keys()):
            yield from differences(a.get(name), b.get(name), f"{path}.{name}")
    elif (
        isinstance(a, Sequence) and isinstance(b, Sequence) and not isinstance(a, str) and len(a) == len(b)
    ):
        for index, (left, right) in enumerate(zip(a, b, strict=True)):
            yield from differences(left, right, f"{path}.{index}")
    elif a != b:
        yield f"{path.lstrip('.')}: {a!r:.80} became {b!r:.80}"


def _lasting(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _lasting(part) for name, part in value.items() if name not in _OF_THE_MOMENT}
    return [_lasting(part) for part in value] if isinstance(value, list | tuple) else value
