"""Tables and whole networks of this machine, measured by the real agent core in processes of their own."""

import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import say
from profiler_agent.agent import AgentCore
from search_server.latency.covers import window_architectures
from search_server.latency.estimate.fit import fit_table
from search_server.latency.estimate.observations import UnfittableError
from search_server.latency.estimate.relative import relative_latencies
from search_server.latency.table import LatencyTable
from search_server.model_files.model_file import model_file
from search_server.profiling.plan import (
    ANCHOR_ID,
    MAX_PROFILE_LEASES,
    MEASUREMENT_LEASES,
    MIN_PROFILE_LEASES,
    PROFILE_WINDOW_S,
    policy,
)
from shared.architecture import Architecture, anchor_architecture
from shared.protocol.device import Conditions
from shared.protocol.measurement import Lease, LeaseItem, Policy, Result
from shared.search_space import SearchSpace
from shared.workload import Workload


def measure_table(
    space: SearchSpace, conditions: Conditions, seed: int, cover_seed: int = 0
) -> tuple[LatencyTable, float]:
    """Return a table, accepted or after the most leases, and the device time that it took in seconds.

    Args:
        space: what to measure.
        conditions: what to measure with.
        seed: other seeds run the rounds in other orders.
        cover_seed: other seeds draw other covers.

    Raises:
        UnfittableError: no window gave numbers enough for a table.
        ValueError: this machine cannot measure under these conditions.
    """
    table: LatencyTable | None = None
    covers: dict[str, Workload] = {}
    families: dict[str, Workload] = {}
    results: list[Result] = []
    device_s = 0.0
    with tempfile.TemporaryDirectory(prefix="edgenas-bench-") as folder:
        core = AgentCore(Path(folder))
        for index in range(MAX_PROFILE_LEASES):
            drawn, kin = window_architectures(space, index, first_seed=MAX_PROFILE_LEASES * cover_seed)
            covers |= {item_id: cover.workload() for item_id, cover in drawn.items()}
            families |= {item_id: family.workload() for item_id, family in kin.items()}
            start = time.perf_counter()
            results += measure_window(core, space, conditions, drawn, kin, 1000 * seed + index)
            device_s += time.perf_counter() - start
            if index + 1 >= MIN_PROFILE_LEASES:
                now = datetime.now(UTC).isoformat()
                with suppress(UnfittableError):
                    table = fit_table(
                        space.name, "local", conditions, covers, ANCHOR_ID, results, now, families
                    )
                    if table.is_accepted:
                        break
    if table is None:
        raise UnfittableError(f"{MAX_PROFILE_LEASES} windows gave no numbers for a table of {space.name}")
    return table, device_s


def measure_window(
    core: AgentCore,
    space: SearchSpace,
    conditions: Conditions,
    covers: Mapping[str, Architecture],
    families: Mapping[str, Architecture],
    seed: int,
) -> Iterator[Result]:
    """Yield what one window of a profile gives.

    Args:
        core: the agent that measures.
        space: whose anchor runs right before each network.
        conditions: what to measure with.
        covers: by item id; they are profiled as well.
        families: by item id.
        seed: other seeds run the rounds in other orders, and are other leases.
    """
    networks = {item_id: each.workload() for item_id, each in {**covers, **families}.items()}
    items = _items(core, space, networks, conditions, profiled=set(covers))
    yield from core.run(_lease(items, conditions, policy(seed, conditions, window_s=PROFILE_WINDOW_S)))


def kept_table(path: Path, space: SearchSpace, conditions: Conditions) -> LatencyTable:
    """Return the table of a file, measured now and written there if there is no such file."""
    if not path.exists():
        say(f"measuring a table of {space.name}, {conditions}: half a minute or more")
        path.write_text(measure_table(space, conditions, seed=0)[0].to_json())
    return LatencyTable.from_json(path.read_text())


def measure_networks(
    space: SearchSpace, conditions: Conditions, networks: Sequence[Architecture], seed: int
) -> NDArray[np.float64]:
    """Return the latency of each network in units of the anchor, measured as a server has it measured.

    Args:
        space: whose anchor runs right before each network.
        conditions: what to measure with.
        networks: not more than a lease may hold.
        seed: other seeds run the rounds in other orders.
    """
    workloads = {f"net{i}": network.workload() for i, network in enumerate(networks)}
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="edgenas-bench-") as folder:
        core = AgentCore(Path(folder))
        items = _items(core, space, workloads, conditions)
        for index in range(MEASUREMENT_LEASES):
            results += core.run(_lease(items, conditions, policy(1000 * seed + index, conditions)))
    relative = relative_latencies(results, ANCHOR_ID)
    return np.array([relative[item_id].ratio for item_id in workloads])


def _items(
    core: AgentCore,
    space: SearchSpace,
    workloads: Mapping[str, Workload],
    conditions: Conditions,
    profiled: Collection[str] = (),
) -> tuple[LeaseItem, ...]:
    """Return the anchor and the workloads as items, with their model files in the agent's cache."""
    items = []
    for item_id, workload in {ANCHOR_ID: anchor_architecture(space).workload(), **workloads}.items():
        model = model_file(workload, conditions)
        artifact = model.artifact() if model else None
        if model and artifact:
            with core.artifacts.writing(artifact.sha256, artifact.size_bytes) as file:
                file.write(model.content)
        is_anchor = item_id == ANCHOR_ID
        items.append(LeaseItem(item_id, workload, artifact, is_anchor, item_id in profiled))
    return tuple(items)


def _lease(items: tuple[LeaseItem, ...], conditions: Conditions, how_long: Policy) -> Lease:
    return Lease(f"lease{how_long.seed}", 1, "local", items, conditions, how_long, ttl_s=120.0)
