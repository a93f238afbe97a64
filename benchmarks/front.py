"""One search, eight targets on three runtimes: is each network on its target, and how good is the front?

On this machine, one thread each of ONNX Runtime, LiteRT and ncnn. One search estimates what each candidate
in each layer adds to cross entropy. For each runtime the best networks by these effects are decoded for
eight targets and measured, those off their targets decoded again as ``edgenas search front`` does, and all
that are chosen measured afresh.

All are trained alike, beside a random network near each target, the uniform networks, and what eight
searches of an eighth of the images find, one for each target (with the first runtime). The hypervolume of a
set of networks is the area in the plane of latency and test accuracy that some network of the set is better
than, up to the slowest target and from an accuracy of chance on, as a share of that rectangle.

    python -m benchmarks.front --data CIFAR10

What is done is kept in the folder ``--out``: an interrupted run goes on there.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contestants import random_networks
from benchmarks.ledger import Ledger
from benchmarks.local_table import kept_table, measure_networks
from benchmarks.machine import figures_parser, print_figures, say
from benchmarks.trials import BAND, Images, Network, TrainingTrial
from benchmarks.two_devices import EffectsTrial, outcomes, table_path
from search_server.latency.table import LatencyTable
from search_server.nas.budget.caps import Matrix, latency_cap
from search_server.nas.budget.latency_model import LatencyModel
from search_server.nas.choosing.decided import best_network
from search_server.nas.choosing.front import front_targets_us
from search_server.searches.targets import MARGIN, brought_to_targets
from shared.architecture import Architecture, uniform_architecture
from shared.protocol.device import Conditions
from shared.search_space import SearchSpace, search_space

RUNTIMES = ("onnxruntime", "litert", "ncnn")
CHEAP = 8
"""Searches of so small a share of the images, as many as there are targets."""

RANDOM_SHARE = 0.5
"""Of the anchor's latency: faster networks are hardly ever drawn."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A network that stands for a set on a runtime."""

    network: Network
    latency_ms: float
    target_ms: float | None = None
    """None: it was not decoded for one."""


def main() -> None:
    """Measure tables, search once, decode, measure, train, and print the fronts and the figures."""
    arguments = parsed_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    images = Images(arguments.data, arguments.images)
    space = search_space(arguments.space)
    images.load(space.resolution).require_fit(space.num_classes, space.name)
    ledger = Ledger(arguments.out / "trials.jsonl")
    tables = {
        name: kept_table(table_path(arguments.out, name), space, Conditions(name))
        for name in arguments.runtimes
    }
    first = tables[arguments.runtimes[0]]
    trial = EffectsTrial(
        space.name,
        str(table_path(arguments.out, arguments.runtimes[0])),
        first.snapshot,
        round(first.anchor_us, 3),
        images,
        arguments.search_epochs,
    )
    effects_LK = np.array(outcomes(ledger, {"all": trial}, 1, "search")["all"]["effects_LK"])
    targets_us = {name: targets(table, effects_LK, arguments.points) for name, table in tables.items()}
    fronts = {
        name: on_target(space, name, table, effects_LK, targets_us[name]) for name, table in tables.items()
    }
    entrants = {(name, "front"): front for name, front in fronts.items()}
    for name, table in tables.items():
        for kind, networks in rivals(space, table, targets_us[name]).items():
            entrants[name, kind] = measured(space, name, table, networks)
    name = arguments.runtimes[0]
    cheap = cheap_networks(ledger, trial, tables[name], targets_us[name], arguments.processes)
    entrants[name, "eight cheap searches"] = measured(space, name, first, cheap)
    trainings = {
        str(each.network): TrainingTrial(each.network, images, arguments.epochs, seed=0)
        for every in entrants.values()
        for each in every
    }
    trained = outcomes(ledger, trainings, arguments.processes, "trainings")
    accuracy = {network: float(outcome["test_accuracy"]) for network, outcome in trained.items()}
    result = figures(space, Path(arguments.data).name, entrants, accuracy, targets_us)
    if not arguments.json:
        print_fronts(entrants, accuracy, result["hypervolume"])
    print_figures(result)


def parsed_arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = figures_parser(__doc__)
    parser.add_argument("--data", default="digits", help="a folder of images")
    parser.add_argument("--space", default="fbnet-tiny:width=0.5")
    parser.add_argument("--runtimes", nargs="+", default=list(RUNTIMES))
    parser.add_argument("--points", type=int, default=8, help="targets on each runtime")
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--search-epochs", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=5, help="of the trainings from scratch")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(".benchmarks/front"))
    return parser.parse_args()


def targets(table: LatencyTable, effects_LK: Matrix, points: int) -> list[float]:
    """Return the targets on a runtime, us: up to the network that is best by the effects."""
    space = table.search_space
    blocks = tuple(space.candidates[index] for index in effects_LK.argmin(1))
    return front_targets_us(
        table.latency_range_us()[0], table.predict_us(Architecture(space, blocks)), points
    )


def decoded(space: SearchSpace, table: LatencyTable, effects_LK: Matrix, limit_us: float) -> Architecture:
    """Return the best network by the effects within a limit."""
    model = LatencyModel(table, space.num_layers, len(space.candidates))
    cap = latency_cap("latency", model, max(limit_us, model.min_us))
    return best_network(space, -effects_LK, [cap], 1 - MARGIN)


def on_target(
    space: SearchSpace,
    name: str,
    table: LatencyTable,
    effects_LK: Matrix,
    targets_us: Sequence[float],
) -> list[Entrant]:
    """Return a network for each target, chosen as ``edgenas search front`` does, and measured afresh.

    It was chosen by a measurement that was near the target, so that one is too kind.
    """

    def measure_us(networks: Mapping[float, Architecture]) -> dict[float, float]:
        texts = [Network(space.name, str(network)) for network in networks.values()]
        entrants = measured(space, name, table, texts) if texts else []
        return {point: 1e3 * each.latency_ms for point, each in zip(networks, entrants, strict=True)}

    networks = brought_to_targets(
        {target_us: target_us for target_us in targets_us},
        lambda _, limit_us: decoded(space, table, effects_LK, limit_us),
        lambda _, network: table.predict_us(network),
        measure_us,
    )
    return [
        Entrant(Network(space.name, str(networks[target_us])), 1e-3 * latency_us, 1e-3 * target_us)
        for target_us, latency_us in measure_us(networks).items()
    ]


def measured(
    space: SearchSpace, name: str, table: LatencyTable, networks: Sequence[Network]
) -> list[Entrant]:
    """Return networks with their latencies on a runtime, each measured once."""
    distinct = list(dict.fromkeys(networks))
    say(f"measuring {len(distinct)} networks with {name}")
    architectures = [network.architecture() for network in distinct]
    units = measure_networks(space, Conditions(name), architectures, seed=1)
    ms = {n: float(unit) * table.anchor_us / 1e3 for n, unit in zip(distinct, units, strict=True)}
    return [Entrant(network, ms[network]) for network in networks]


def rivals(
    space: SearchSpace, table: LatencyTable, targets_us: Sequence[float]
) -> dict[str, list[Network]]:
    """Return a random network near each target, and the uniform networks."""
    randoms = [
        random_networks(table, target_us, 1, seed)[0]
        for seed, target_us in enumerate(targets_us)
        if target_us > RANDOM_SHARE * table.anchor_us
    ]
    uniform = [Network(space.name, str(uniform_architecture(space, block))) for block in space.candidates]
    return {"random": randoms, "uniform": uniform}


def cheap_networks(
    ledger: Ledger,
    trial: EffectsTrial,
    table: LatencyTable,
    targets_us: Sequence[float],
    num_processes: int,
) -> list[Network]:
    """Return what a search of an eighth of the images finds for each target."""
    few = replace(trial.images, num_images=trial.images.num_images // CHEAP)
    slowest_us = table.latency_range_us()[1]
    trials = {
        str(target_us): replace(trial, images=few, target_us=round(min(target_us, slowest_us), 3))
        for target_us in targets_us
    }
    found = outcomes(ledger, trials, num_processes, "cheap searches")
    space = table.search_space
    return [
        Network(
            space.name, str(decoded(space, table, np.array(found[str(target_us)]["effects_LK"]), target_us))
        )
        for target_us in targets_us
    ]


def hypervolume(
    points: Sequence[tuple[float, float]], most_ms: float, least_ms: float, chance: float
) -> float:
    """Return the share of a rectangle that some point is better than.

    Args:
        points: latencies, ms, and accuracies; those slower than ``most_ms`` do not count.
        most_ms: where the rectangle ends.
        least_ms: where it begins.
        chance: accuracy at its lower edge; the upper one is 1.
    """
    area, best, at_ms = 0.0, chance, least_ms
    for latency_ms, accuracy in sorted(points):
        if latency_ms > most_ms:
            break
        here_ms = max(latency_ms, least_ms)
        area += (here_ms - at_ms) * (best - chance)
        best, at_ms = max(best, accuracy), here_ms
    area += (most_ms - at_ms) * (best - chance)
    return area / ((most_ms - least_ms) * (1 - chance))


def figures(
    space: SearchSpace,
    data: str,
    entrants: Mapping[tuple[str, str], Sequence[Entrant]],
    accuracy: Mapping[str, float],
    targets_us: Mapping[str, Sequence[float]],
) -> dict[str, Any]:
    """Return what the last line says."""
    off = [
        each.latency_ms / each.target_ms - 1
        for every in entrants.values()
        for each in every
        if each.target_ms is not None
    ]
    volumes: dict[str, dict[str, float]] = {}
    for (runtime, kind), every in entrants.items():
        ends_ms = [1e-3 * us for us in (targets_us[runtime][0], targets_us[runtime][-1])]
        points = [(each.latency_ms, accuracy[str(each.network)]) for each in every]
        volumes.setdefault(runtime, {})[kind] = hypervolume(
            points, (1 + BAND) * ends_ms[1], (1 - BAND) * ends_ms[0], 1 / space.num_classes
        )
    return {
        "benchmark": "front",
        "space": space.name,
        "data": data,
        "num_targets": len(off),
        "num_within_3_percent": sum(abs(share) <= BAND for share in off),
        "largest_off": max(off, key=abs),
        "hypervolume": volumes,
        "front": [
            {
                "runtime": runtime,
                "target_ms": each.target_ms,
                "measured_ms": each.latency_ms,
                "accuracy": accuracy[str(each.network)],
                "blocks": each.network.blocks,
            }
            for (runtime, kind), every in entrants.items()
            if kind == "front"
            for each in every
        ],
    }


def print_fronts(
    entrants: Mapping[tuple[str, str], Sequence[Entrant]],
    accuracy: Mapping[str, float],
    volumes: Mapping[str, Mapping[str, float]],
) -> None:
    """Print a line a network of each front, and the hypervolumes."""
    print(f"{'runtime':<14}{'target ms':>11}{'measured':>10}{'of target':>11}{'accuracy':>10}")
    for (runtime, kind), every in entrants.items():
        for each in every if kind == "front" else ():
            assert each.target_ms is not None, "each network of a front has a target"
            print(
                f"{runtime:<14}{each.target_ms:>11.4f}{each.latency_ms:>10.4f}"
                f"{each.latency_ms / each.target_ms - 1:>+11.1%}{accuracy[str(each.network)]:>10.1%}"
            )
    for runtime, by_kind in volumes.items():
        shares = ", ".join(f"{kind} {share:.3f}" for kind, share in by_kind.items())
        print(f"hypervolume with {runtime}: {shares}")


if __name__ == "__main__":
    main()
