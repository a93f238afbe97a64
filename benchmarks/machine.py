"""What all benchmarks have in common: flags, progress, and figures with the machine, versions and date."""

import argparse
import json
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from profiler_agent.facts.device import read_device


def figures_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of a benchmark's flags, ``--json`` among them."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the last line only")
    return parser


def say(text: str) -> None:
    """Tell what goes on, beside the figures."""
    print(text, file=sys.stderr, flush=True)


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
