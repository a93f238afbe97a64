"""Does the gate find what was planted, and nothing else, while the load changes?

The old model is a chain of 100 equal convolutions; a new one has 0, 1, 2 or 5 more, which makes it so many
percent slower by construction. Each gate allows 1 %: it should pass 0 %, find 2 and 5 %, and 1 % lies on
the limit, where an alarm is an error too. Beside it, what people do: each model runs alone, in a process of
its own for as long as a window, and the means of their runs are compared.

``plain_windows_needed`` is how many such windows, two a comparison, it takes to tell 2 % from 0 % as
reliably as is asked of the gate (5 % false alarms, 90 % found), from the scatter of their ratios.
"""

import math
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from benchmarks.changing_load import changing_load
from benchmarks.machine import figures_parser, print_figures, say
from profiler_agent.agent import AgentCore
from search_server.model_files.model_file import ModelFile
from search_server.profiling.conclude_gate import LOOKS, NUM_COPIES, GateOn, conclude_gate
from search_server.profiling.evidence import Evidence, Failed, Window
from search_server.profiling.gates import GATE_WINDOW_S
from search_server.profiling.plan import ANCHOR_ID, policy
from shared.protocol.device import Conditions
from shared.protocol.measurement import Lease, LeaseItem, ModelInput

NUM_LAYERS = 100
CHANNELS, SIZE = 16, 28
FAIL_ABOVE = 0.01
SHARES = {0: 0.3, 1: 0.1, 2: 0.3, 5: 0.3}
"""Of the planted changes, by percent."""
RELIABILITY = 1.645 + 1.282
"""Standard deviations between 5 % false alarms and 90 % found."""
PLAIN_EVERY = 2
"""Every so many gates the plain comparison is made too."""

_INPUTS = (ModelInput("x", (1, CHANNELS, SIZE, SIZE)),)


def main() -> None:
    """Run the gates; print a row each and the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--num-changes", type=int, default=40)
    parser.add_argument("--num-neighbours", type=int, default=2, help="busy processes at a time, at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgenas-gate-") as folder:
        bench = Bench(AgentCore(Path(folder)))
        with changing_load(arguments.num_neighbours, arguments.seed):
            rows = [
                bench.row(percent, index)
                for index, percent in enumerate(planted(arguments.num_changes, arguments.seed))
            ]
    minutes = (time.monotonic() - started_s) / 60
    print_figures({"benchmark": "gate_demo", "minutes": minutes, **summary(rows), "rows": rows})


def planted(num_changes: int, seed: int) -> list[int]:
    """Return the percents of the changes in random order."""
    percents = [percent for percent, share in SHARES.items() for _ in range(round(share * num_changes))]
    random.Random(seed).shuffle(percents)
    return percents


def chain(num_layers: int) -> ModelFile:
    """Return a model of so many equal convolutions, each of which hands its input on."""
    weights = np.zeros((CHANNELS, CHANNELS, 3, 3), np.float32)
    weights[range(CHANNELS), range(CHANNELS), 1, 1] = 1
    names = ["x", *(f"t{i}" for i in range(num_layers - 1)), "y"]
    nodes = [
        helper.make_node("Conv", [names[i], "w"], [names[i + 1]], pads=[1, 1, 1, 1], name=f"conv{i}")
        for i in range(num_layers)
    ]
    first, last = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, _INPUTS[0].shape) for name in ("x", "y")
    )
    graph = helper.make_graph(nodes, "chain", [first], [last], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return ModelFile("onnx", bytes(model.SerializeToString()))


class Bench:
    """An agent of this machine, and the gates that are tried on it."""

    def __init__(self, core: AgentCore) -> None:
        self._core = core
        self._num_leases = 0

    def row(self, percent: int, index: int) -> dict[str, Any]:
        """Return what a gate, and now and then the plain comparison, says of one planted change."""
        start_s = time.monotonic()
        row = {"planted_percent": percent, **self._gate(percent), "wall_s": time.monotonic() - start_s}
        if index % PLAIN_EVERY == 0:
            row["plain_ratio"] = self._plain_mean_us(percent) / self._plain_mean_us(0)
        say(f"{index + 1}: {row}")
        return row

    def _gate(self, percent: int) -> dict[str, Any]:
        old = self._item(ANCHOR_ID, 0, is_anchor=True)
        items = (old, *(self._item(f"new{copy}", percent) for copy in range(NUM_COPIES)))
        windows: list[Window] = []
        look = LOOKS[0]
        while True:
            windows += [self._window(items) for _ in range(look - len(windows))]
            evidence = Evidence("", "", Conditions(), items, tuple((0, each) for each in windows))
            conclusion = conclude_gate(evidence, FAIL_ABOVE)
            if isinstance(conclusion, GateOn):
                look = conclusion.num_windows
                continue
            if isinstance(conclusion, Failed):
                return {"outcome": "undecided", "reason": conclusion.message, "num_windows": len(windows)}
            return {
                "outcome": conclusion.outcome,
                "ratio": conclusion.ratio,
                "window_sd": statistics.stdev(map(math.log, conclusion.window_ratios)),
                "num_windows": len(windows),
            }

    def _plain_mean_us(self, percent: int) -> float:
        (result,) = self._window((self._item("alone", percent),))
        return statistics.fmean(result.runs.wall_us) if result.runs.wall_us else float("nan")

    def _window(self, items: tuple[LeaseItem, ...]) -> Window:
        self._num_leases += 1
        how_long = policy(self._num_leases, Conditions(), window_s=GATE_WINDOW_S)
        lease = Lease(f"lease{self._num_leases}", 1, "here", items, Conditions(), how_long, ttl_s=120)
        return tuple(self._core.run(lease))

    def _item(self, item_id: str, percent: int, *, is_anchor: bool = False) -> LeaseItem:
        file = chain(NUM_LAYERS + percent)
        artifact = file.artifact()
        if self._core.artifacts.path(artifact.sha256) is None:
            with self._core.artifacts.writing(artifact.sha256, artifact.size_bytes) as writer:
                writer.write(file.content)
        return LeaseItem(item_id, None, artifact, is_anchor, inputs=_INPUTS)


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how often the gate was right, and what the plain comparison would need."""
    slower = {
        p: [row["outcome"] == "slower" for row in rows if row["planted_percent"] == p] for p in SHARES
    }
    undecided = {
        p: sum(r["outcome"] == "undecided" for r in rows if r["planted_percent"] == p) for p in SHARES
    }
    plain = [
        math.log(row["plain_ratio"] / (1 + row["planted_percent"] / 100))
        for row in rows
        if not math.isnan(row.get("plain_ratio", math.nan))
    ]
    plain_sd = statistics.stdev(plain) if len(plain) > 1 else math.nan
    window_sds = [row["window_sd"] for row in rows if "window_sd" in row]
    alarms = slower[0] + slower[1]
    return {
        "num_changes": len(rows),
        "fail_above": FAIL_ABOVE,
        "false_alarms": sum(alarms) / max(1, len(alarms)),
        "found_2_percent": sum(slower[2]) / max(1, len(slower[2])),
        "found_5_percent": sum(slower[5]) / max(1, len(slower[5])),
        "undecided": undecided,
        "mean_windows": statistics.fmean(row["num_windows"] for row in rows),
        "window_sd": statistics.fmean(window_sds) if window_sds else None,
        "plain_sd": plain_sd,
        "plain_windows_needed": math.ceil(2 * (RELIABILITY * plain_sd / 0.02) ** 2)
        if len(plain) > 1
        else None,
    }


if __name__ == "__main__":
    main()
