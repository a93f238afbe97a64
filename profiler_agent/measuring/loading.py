"""Bring models into memory: several at a time where the runtime and the cores allow.

Each runs once as soon as it is loaded. Runtimes take the memory of activations at the first run, so it
comes to lie beside the model's own weights, as where a network is alone in its process. When all models
were loaded first, networks of a millisecond took 1 % more of an anchor than that, some 3 %.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from profiler_agent.runtimes.base import LoadedModel, Runtime, UnsupportedWorkloadError
from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem

MAX_LOADERS = 4
"""A model takes twice its memory while it is loaded."""


def load_models(
    runtime: Runtime,
    items: Sequence[LeaseItem],
    conditions: Conditions,
    artifact_paths: Mapping[str, Path],
) -> list[LoadedModel | UnsupportedWorkloadError]:
    """Return for each item, in order, its model, which has run once, or why the runtime cannot run it.

    Args:
        runtime: loads them; by one thread, this one, unless it can load in parallel.
        items: what to load; one that stands here twice is loaded twice.
        conditions: to load them for.
        artifact_paths: model files by SHA-256.
    """

    def load(item: LeaseItem) -> LoadedModel | UnsupportedWorkloadError:
        path = artifact_paths[item.artifact.sha256] if item.artifact else None
        try:
            model = runtime.load(item, conditions, path)
        except UnsupportedWorkloadError as error:
            return error
        model.run()
        return model

    if not runtime.loads_in_parallel:
        return [load(item) for item in items]
    with ThreadPoolExecutor(min(MAX_LOADERS, _num_usable_cores())) as loaders:
        return list(loaders.map(load, items))


def _num_usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
