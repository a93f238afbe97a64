"""What a figure needs beside it: the machine, the versions, the date."""

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from profiler_agent.facts.device import read_device


def print_figures(figures: dict[str, Any]) -> None:
    """Print the figures with machine, versions and date as one JSON object on the last line."""
    device = read_device(None, ())
    facts = {
        "cpu": device.cpu_model,
        "num_cores": device.num_cores,
        "system": device.system,
        "python": platform.python_version(),
        **{name: version(name) for name in ("onnxruntime", "torch", "edgenas")},
        "date": datetime.now(UTC).date().isoformat(),
    }
    print(json.dumps({**figures, "machine": facts}, default=float))
