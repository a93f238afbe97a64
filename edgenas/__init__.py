"""What a Python program needs of edgenas, under one name; each part is loaded when it is first asked for.

So ``SearchClient`` needs no package of the server, and only what searches loads torch. What editors and
type checkers read stands in ``__init__.pyi``.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "AsyncSearchClient": "search_server.client",
    "Conditions": "shared.protocol.device",
    "DeviceTable": "search_server.nas.budget.search_caps",
    "LatencyTable": "search_server.latency.table",
    "MeasurementCreate": "search_server.resources.latencies",
    "PredictionCreate": "search_server.resources.latencies",
    "ProfileCreate": "search_server.resources.tables",
    "SearchClient": "search_server.client",
    "SearchCreate": "search_server.resources.searches",
    "SearchOptions": "search_server.search_options",
    "image_batches": "edgenas.loaders",
    "parse_architecture": "shared.architecture",
    "search": "search_server.nas.search",
    "search_space": "shared.search_space",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Load what is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"edgenas has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)
