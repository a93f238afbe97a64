"""Is each device's own network the fastest on it? One network for each of four, all equally good.

The devices: this machine with ONNX Runtime, this machine with torch eager, and by the tables of
HW-NAS-Bench a Raspberry Pi 4 and a Pixel 3. The space is HW-NAS-Bench's, ``fbnet-cifar``. One search
estimates what each candidate in each layer adds to cross entropy. The best network that takes a share of
what ``k3_e3`` takes with ONNX Runtime sets how good all shall be; each device gets the one that takes it
the least time among all that are as good by these effects, found exactly. The supernet and the networks
that are trained have a quarter of the channels: latency is that of the full networks, accuracy that of
their narrow copies.

Local latencies of the cross table are measured, those of the Raspberry Pi and the Pixel are sums over their
tables: nobody here has measured there.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ledger import Ledger, Outcome, Trial
from benchmarks.local_table import kept_table, measure_networks
from benchmarks.machine import figures_parser, print_figures, say
from benchmarks.trials import Images, Network, TrainingTrial
from search_server.latency.formats.hw_nas_bench import SPACE, bundled_hw_nas_bench, read_hw_nas_bench
from search_server.latency.formats.reading import ImportedFile
from search_server.latency.table import LatencyTable
from search_server.nas.budget.caps import Cap, Matrix
from search_server.nas.budget.knapsack import most_probable_within
from search_server.nas.data.batches import search_batches
from search_server.nas.search import search
from search_server.search_options import SearchOptions
from shared.architecture import Architecture
from shared.protocol.device import Conditions
from shared.search_space import search_space

LOCAL = {"onnxruntime": Conditions(), "torch": Conditions("torch")}
IMPORTED = ("raspi4", "pixel3")
WIDTH = 0.25
FINAL_ENTROPY = 0.6
"""Share of log K in which theta ends: every candidate stays in play."""
THETA_PATHS = 16
"""Networks run on each batch of the last two epochs: effects of 22 layers need some hundreds of draws."""
ROUNDING = 1e-3
"""Share of loss above that of the network that sets the measure: sums in other orders, bins of decoding."""


def main() -> None:
    """Measure tables, search for each device, train, and print the cross table and the figures."""
    arguments = parsed_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    images = Images(arguments.data, arguments.images)
    num_classes = images.load(arguments.resolution).num_classes
    narrow = f"{SPACE}:width={WIDTH:g},resolution={arguments.resolution},classes={num_classes}"
    ledger = Ledger(arguments.out / "trials.jsonl")
    tables = local_tables(arguments.out) | bundled_tables(arguments.out)
    reference = tables["onnxruntime"]
    trial = EffectsTrial(
        narrow,
        str(table_path(arguments.out, "onnxruntime")),
        reference.snapshot,
        round(arguments.share * reference.anchor_us, 3),
        images,
        arguments.search_epochs,
    )
    (searched,) = outcomes(ledger, {"all": trial}, 1, "search").values()
    found = equally_good(np.array(searched["effects_LK"]), tables, trial.target_us)
    trainings = {
        device: TrainingTrial(Network(narrow, str(blocks)), images, arguments.epochs, seed=0)
        for device, blocks in found.items()
    }
    accuracies = {
        device: float(outcome["test_accuracy"])
        for device, outcome in outcomes(ledger, trainings, arguments.processes, "trainings").items()
    }
    latency_ms = cross_table(tables, found)
    if not arguments.json:
        print_cross_table(latency_ms, accuracies)
    print_figures(figures(narrow, Path(arguments.data).name, latency_ms, accuracies, found))


def parsed_arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = figures_parser(__doc__)
    parser.add_argument("--data", default="digits", help="a folder of images")
    parser.add_argument("--share", type=float, default=0.7, help="target, of the latency of uniform k3_e3")
    parser.add_argument("--resolution", type=int, default=16, help="of what is trained, pixels")
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--search-epochs", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=6, help="of the trainings from scratch")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(".benchmarks/two_devices"))
    return parser.parse_args()


def outcomes(
    ledger: Ledger, trials: Mapping[str, Trial], num_processes: int, what: str
) -> dict[str, Outcome]:
    """Return what came of each device's trial."""
    ledger.run_all(list(trials.values()), num_processes, lambda text: say(f"{what}: {text}"))
    return {device: ledger.outcome(trial) for device, trial in trials.items()}


def local_tables(folder: Path) -> dict[str, LatencyTable]:
    """Return this machine's tables, measured now unless the folder has them."""
    return {
        device: kept_table(table_path(folder, device), search_space(SPACE), conditions)
        for device, conditions in LOCAL.items()
    }


def bundled_tables(folder: Path) -> dict[str, LatencyTable]:
    """Return HW-NAS-Bench's tables, and leave a copy of each in a folder."""
    tables = {}
    for device in IMPORTED:
        file = ImportedFile(bundled_hw_nas_bench(), device, datetime.now(UTC).isoformat())
        tables[device] = read_hw_nas_bench(file).table
        table_path(folder, device).write_text(tables[device].to_json())
    return tables


def table_path(folder: Path, device: str) -> Path:
    """Return where a device's table is kept."""
    return folder / f"{device}.json"


@dataclass(frozen=True, slots=True)
class EffectsTrial:
    """One search that stays undecided, for what it learns of the candidates."""

    space: str
    table: str
    """A file with a latency table of a space with the same layers and candidates."""
    snapshot: str
    target_us: float
    images: Images
    epochs: int

    def run(self) -> Outcome:
        space = search_space(self.space)
        table = LatencyTable.from_json(Path(self.table).read_text())
        data = self.images.load(space.resolution)
        options = SearchOptions(
            target_ms=self.target_us / 1000,
            epochs=self.epochs,
            warmup_epochs=max(1, self.epochs - 2),
            theta_gradient="effects",
            theta_paths=THETA_PATHS,
            final_entropy=FINAL_ENTROPY,
        )
        run = search(space, table, *search_batches(data, 64, seed=0), options)
        for _ in run:
            pass
        return {"effects_LK": run.theta.effects.effects_LK().tolist()}


def equally_good(
    effects_LK: Matrix, tables: Mapping[str, LatencyTable], target_us: float
) -> dict[str, Architecture]:
    """Return for each device the fastest of all networks that are as good as the first device's best one.

    Args:
        effects_LK: what each candidate adds to cross entropy, nats.
        tables: latencies by device.
        target_us: what the network that sets the measure may take on the first device.
    """
    first = next(iter(tables.values()))
    losses_LK = effects_LK - effects_LK.min(1, keepdims=True)
    latency = Cap("latency", "us", first.fixed_us, np.array(first.latency_us_LK()), target_us)
    best = most_probable_within(-losses_LK, [latency])
    if best is None:
        raise ValueError(f"no network takes {target_us:.4g} us or less; raise --share")
    most = max(float(losses_LK[np.arange(len(best)), best].sum()), ROUNDING)
    promise = Cap("loss", "of the targets", 0.0, losses_LK / most, 1 + ROUNDING)
    space = search_space(SPACE)
    found = {}
    for device, table in tables.items():
        latency_us_LK = np.array(table.latency_us_LK())
        indices = most_probable_within(-latency_us_LK / latency_us_LK.max(), [promise])
        assert indices is not None, "the network that sets the measure keeps it"
        found[device] = Architecture(space, tuple(space.candidates[index] for index in indices))
    return found


def cross_table(
    tables: Mapping[str, LatencyTable], found: Mapping[str, Architecture]
) -> dict[str, dict[str, float]]:
    """Return milliseconds by device, then by the device that the network was found for."""
    return {
        device: dict(zip(found, latencies_ms(device, table, list(found.values())), strict=True))
        for device, table in tables.items()
    }


def latencies_ms(device: str, table: LatencyTable, networks: Sequence[Architecture]) -> list[float]:
    """Return the latency of networks on a device: measured here, or by its table."""
    if device in LOCAL:
        say(f"measuring the networks with {device}")
        units = measure_networks(search_space(SPACE), LOCAL[device], networks, seed=1)
        return [float(unit) * table.anchor_us / 1e3 for unit in units]
    return [table.predict(network).latency_us / 1e3 for network in networks]


def print_cross_table(
    latency_ms: Mapping[str, Mapping[str, float]], accuracies: Mapping[str, float]
) -> None:
    """Print a row a network, a column a device; a star where a network is the fastest."""
    print("milliseconds on each device; * the fastest there")
    print(f"{'found for':<14}" + "".join(f"{device:>14}" for device in latency_ms) + f"{'accuracy':>12}")
    for network, accuracy in accuracies.items():
        cells = [
            f"{row[network]:.3f}{'*' if row[network] == min(row.values()) else ' '}"
            for row in latency_ms.values()
        ]
        print(f"{network:<14}" + "".join(f"{cell:>14}" for cell in cells) + f"{accuracy:>12.1%}")


def figures(
    space: str,
    data: str,
    latency_ms: Mapping[str, Mapping[str, float]],
    accuracies: Mapping[str, float],
    found: Mapping[str, Architecture],
) -> dict[str, Any]:
    """Return what the last line says."""
    fastest = {device: min(row, key=lambda network: row[network]) for device, row in latency_ms.items()}
    are_own = [found[device] == found[network] for device, network in fastest.items()]
    return {
        "benchmark": "two_devices",
        "space": SPACE,
        "trained_space": space,
        "data": data,
        "latency_ms": latency_ms,
        "accuracy": accuracies,
        "networks": {device: str(network) for device, network in found.items()},
        "fastest": fastest,
        "num_own_fastest": sum(are_own),
        "accuracy_span": max(accuracies.values()) - min(accuracies.values()),
    }


if __name__ == "__main__":
    main()
