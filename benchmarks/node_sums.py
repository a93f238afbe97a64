"""Do the nodes of a network that torch exported add up to the whole?

A network of inverted residuals as in MobileNetV2, written in plain torch and exported by torch's own
exporter, is measured as any model that somebody brings. The profiler itself takes time: a run is longer
under it by ``profiler_cost``. The sum of the nodes should lie between the whole and the whole under the
profiler: ``sum_over_whole`` between 1 and 1 + ``profiler_cost``.
"""

import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import figures_parser, print_figures
from benchmarks.torch_export import torch_exported
from profiler_agent.agent import AgentCore
from search_server.model_files.model_file import ModelFile, model_file
from search_server.profiling.conclude_model import MODEL_ID, conclude_model
from search_server.profiling.evidence import Evidence, Failed
from search_server.profiling.own_models import ANCHOR_SPACE, MODEL_LEASES
from search_server.profiling.plan import ANCHOR_ID, policy
from shared.architecture import anchor_architecture, uniform_architecture
from shared.protocol.device import Conditions
from shared.protocol.measurement import Lease, LeaseItem, ModelInput
from shared.search_space import search_space


def main() -> None:
    """Measure the network; print the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--space", default="fbnet-224", help="whose widths and resolution the network has")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    space = search_space(arguments.space)
    content = torch_exported(uniform_architecture(space, "k3_e6"))
    inputs = (ModelInput("images", (1, *space.input_shape)),)
    anchor_space = search_space(ANCHOR_SPACE)
    sums, costs, failures = [], [], []
    with tempfile.TemporaryDirectory(prefix="edgenas-nodes-") as folder:
        core = AgentCore(Path(folder))
        anchor = anchor_architecture(anchor_space).workload()
        files = {ANCHOR_ID: _timing_file(anchor_space.name), MODEL_ID: ModelFile("onnx", content)}
        for file in files.values():
            with core.artifacts.writing(file.artifact().sha256, len(file.content)) as writer:
                writer.write(file.content)
        items = (
            LeaseItem(ANCHOR_ID, anchor, files[ANCHOR_ID].artifact(), is_anchor=True),
            LeaseItem(MODEL_ID, None, files[MODEL_ID].artifact(), profile_segments=True, inputs=inputs),
        )
        for repeat in range(arguments.repeats):
            windows = []
            for index in range(MODEL_LEASES):
                how_long = policy(10 * repeat + index, Conditions())
                lease = Lease(f"{repeat}-{index}", 1, "here", items, Conditions(), how_long, ttl_s=120)
                windows.append((0, tuple(core.run(lease))))
            evidence = Evidence(anchor_space.name, "here", Conditions(), items, tuple(windows))
            latency = conclude_model(evidence, datetime.now(UTC))
            if isinstance(latency, Failed) or latency.profiler_cost is None:
                failures.append(latency.message if isinstance(latency, Failed) else latency.note)
                continue
            sums.append(sum(node.profiled_us for node in latency.nodes) / latency.raw_latency_us)
            costs.append(latency.profiler_cost)
            num_nodes = len(latency.nodes)
            print(
                f"sum over whole {sums[-1]:.3f}, profiler {costs[-1]:+.1%}, {num_nodes} nodes", flush=True
            )
    print_figures(
        {
            "benchmark": "node_sums",
            "sum_over_whole": statistics.median(sums) if sums else None,
            "profiler_cost": statistics.median(costs) if costs else None,
            "within_cost": sum(1 - 0.01 <= s <= 1 + c + 0.01 for s, c in zip(sums, costs, strict=True)),
            "num_repeats": len(sums),
            "failures": failures,
        }
    )


def _timing_file(space: str) -> ModelFile:
    file = model_file(anchor_architecture(search_space(space)).workload(), Conditions())
    assert file is not None, "onnxruntime loads files"
    return file


if __name__ == "__main__":
    main()
