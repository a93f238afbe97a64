"""The engine of a name, loaded only when it is chosen: Ray need not be installed."""

import importlib
from typing import Literal

from search_server.engines.engine import Engine
from search_server.engines.local import LocalEngine

EngineName = Literal["local", "ray"]


def choose_engine(
    name: EngineName, num_processes: int, ray_address: str | None, accelerator: str
) -> Engine:
    """Return an engine; that of Ray joins its cluster with the first job.

    Args:
        name: of the engine.
        num_processes: most that a job has at the same time.
        ray_address: of the head of the cluster; None: the one of this host.
        accelerator: what jobs compute on, by name.

    Raises:
        ValueError: Ray is not installed.
    """
    if name == "local":
        return LocalEngine(num_processes)
    try:
        module = importlib.import_module("search_server.engines.ray")
    except ImportError as error:
        raise ValueError("engine ray needs Ray: in the checkout, pip install -e '.[ray]'") from error
    engine: Engine = module.RayEngine(ray_address or "auto", num_processes, accelerator in ("auto", "cuda"))
    return engine
