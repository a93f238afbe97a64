"""A latency table of this machine, measured by the real agent core in processes of their own."""

import hashlib
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from profiler_agent.core import AgentCore
from search_server.latency.fit import fit_table
from search_server.latency.table import LatencyTable
from search_server.profiling.artifacts import onnx_bytes
from search_server.profiling.covers import anchor_architecture, cover_architectures
from shared.device import Conditions
from shared.measurement import Artifact, Lease, LeaseItem, Policy, Result
from shared.search_space import SearchSpace

WINDOW_S = 5.0
MIN_LEASES = 4
MAX_LEASES = 8


def measure_table(space: SearchSpace, conditions: Conditions, seed: int) -> tuple[LatencyTable, float]:
    """Return a table, accepted or after ``MAX_LEASES``, and the device time that it took in seconds."""
    covers = {f"cover{i}": a.workload() for i, a in enumerate(cover_architectures(space, seed))}
    workloads = {"anchor": anchor_architecture(space).workload(), **covers}
    results: list[Result] = []
    device_s = 0.0
    with tempfile.TemporaryDirectory(prefix="edgenas-bench-") as folder:
        core = AgentCore(Path(folder))
        items = []
        for item_id, workload in workloads.items():
            content = onnx_bytes(workload)
            sha256 = hashlib.sha256(content).hexdigest()
            with core.artifacts.writing(sha256, len(content)) as file:
                file.write(content)
            artifact = Artifact(sha256, len(content))
            is_anchor = item_id == "anchor"
            items.append(LeaseItem(item_id, workload, artifact, is_anchor, not is_anchor))
        for index in range(MAX_LEASES):
            policy = Policy(window_s=WINDOW_S, seed=1000 * seed + index)
            lease = Lease(f"lease{index}", 1, "local", tuple(items), conditions, policy, ttl_s=120.0)
            start = time.perf_counter()
            results += core.run(lease)
            device_s += time.perf_counter() - start
            if index + 1 >= MIN_LEASES:
                now = datetime.now(UTC).isoformat()
                table = fit_table(space.name, "local", conditions, covers, "anchor", results, now)
                assert table.verdict is not None
                if table.verdict.is_accepted:
                    break
    return table, device_s
