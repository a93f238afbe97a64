"""What a second process brings: images a second of a search by two, and six trainings at the same time.

The same search, with two shards a step, is computed by one process and by two, each with one thread, in
turns in one run; the rate is that of the epochs after the first, and the ratio the median over turns. Six
networks are trained one after the other by this process, and two at a time by two others, whose start and
loading of torch count. The all-reduce of the supernet's gradients over loopback is timed by itself.
The model of ``docs/scaling.md`` takes its constants from the last line.

    python -m benchmarks.data_parallel
    python -m benchmarks.data_parallel --space fbnet-96-035 --batch-size 128
"""

import importlib
import os
import statistics
import time
from typing import Any

import torch
from torch import distributed

from benchmarks.machine import figures_parser, print_figures, say
from benchmarks.made_up import made_up_table
from search_server.engines.engine import Ranks
from search_server.engines.local import LocalEngine
from search_server.nas.budget.search_caps import DeviceTable
from search_server.nas.supernet.supernet import Supernet
from search_server.resources.searches import SearchCreate
from search_server.searches.search_inputs import DataChoice
from search_server.searches.shared_search import SearchTask, search_together
from search_server.searches.trainings import NetworkTask, train_network
from shared.architecture import uniform_architecture
from shared.search_space import SearchSpace, search_space

NUM_TRAININGS = 6
NUM_PROCESSES = 2
NUM_REDUCTIONS = 20


def main() -> None:
    """Time searches, trainings and reductions and print the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--space", default="fbnet-tiny")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=4, help="of each search")
    parser.add_argument("--train-epochs", type=int, default=4, help="of each of the six trainings")
    parser.add_argument("--turns", type=int, default=3, help="of searches by one process and by two")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(NUM_PROCESSES)  # one for each process
    space = search_space(f"{arguments.space}:classes=10,resolution=32")
    create = SearchCreate(
        "none",
        space.name,
        "digits",
        loss="additive",
        epochs=arguments.epochs,
        warmup_epochs=1,
        batch_size=arguments.batch_size,
        train_epochs=arguments.train_epochs,
    )
    task = SearchTask(
        space.name,
        [DeviceTable("none", made_up_table(space, "none"), None)],
        create,
        DataChoice("digits", space.resolution, 0, None, (), None, None),
        "cpu",
        NUM_PROCESSES,
        num_threads=1,
    )
    rates = [{number: images_per_s(task, number) for number in (1, 2)} for _ in range(arguments.turns)]
    num_params = sum(
        parameter.numel()
        for parameter in Supernet(space, create.weights, torch.Generator()).weight_parameters()
    )
    print_figures(
        {
            "benchmark": "data_parallel",
            "space": space.name,
            "num_cores_free": len(os.sched_getaffinity(0)),
            "images_per_s": {
                number: statistics.median(each[number] for each in rates) for number in (1, 2)
            },
            "speedup": statistics.median(each[2] / each[1] for each in rates),
            "n": len(rates),
            "train_epochs": arguments.train_epochs,
            **trainings(task, space),
            "num_params": num_params,
            **reduction(num_params),
        }
    )


def images_per_s(task: SearchTask, num_processes: int) -> float:
    """Return the rate of a search by so many processes, over its epochs after the first."""
    rates: list[float] = []
    engine = LocalEngine(NUM_PROCESSES)
    engine.run_together(
        search_together,
        task,
        num_processes,
        None,
        lambda facts, _: rates.append(facts.images_per_s),
        lambda: None,
    )
    say(f"{num_processes} processes: {statistics.median(rates[1:]):.0f} images a second")
    return statistics.median(rates[1:])


def trainings(task: SearchTask, space: SearchSpace) -> dict[str, Any]:
    """Return the time of six trainings one after the other, and two at a time, whole and as a share."""
    blocks = [block for block in space.candidates if block != "skip"][:NUM_TRAININGS]
    networks = [
        NetworkTask(
            str(uniform_architecture(space, block)),
            "found",
            space.name,
            task.request,
            task.data,
            "cpu",
            num_threads=1,
        )
        for block in blocks
    ]
    seconds = {}
    for number in (1, NUM_PROCESSES):
        started = time.perf_counter()
        LocalEngine(number).spread(train_network, networks, lambda *_: None, lambda *_: None, lambda: None)
        seconds[number] = time.perf_counter() - started
    say(f"{len(networks)} trainings: {seconds[1]:.1f} s in turn, {seconds[NUM_PROCESSES]:.1f} s spread")
    return {"trainings_s": seconds, "spread_share": seconds[NUM_PROCESSES] / seconds[1]}


def reduction(num_params: int) -> dict[str, Any]:
    """Return how long two processes take to add their gradients over loopback."""
    seconds: list[float] = []
    engine = LocalEngine(NUM_PROCESSES)
    engine.run_together(
        reduce_gradients,
        num_params,
        NUM_PROCESSES,
        None,
        lambda facts, _: seconds.append(facts),
        lambda: None,
    )
    return {"allreduce_s": seconds[-1], "allreduce_bytes": 4 * num_params}


def reduce_gradients(ranks: Ranks, num_params: int) -> None:
    """Add as many figures as a supernet has weights, again and again, and report the median time."""
    gradients = torch.ones(num_params)
    seconds = []
    for _ in range(NUM_REDUCTIONS):
        started = time.perf_counter()
        distributed.all_reduce(gradients)
        seconds.append(time.perf_counter() - started)
    if ranks.rank == 0:
        ranks.report(statistics.median(seconds), b"")


if __name__ == "__main__":
    # The processes that this one starts look for what they run in a module, and __main__ is theirs.
    importlib.import_module("benchmarks.data_parallel").main()
