"""Do networks that a search finds lead others that are equally fast when all are trained alike?

On this machine, one thread of ONNX Runtime. The target is the latency of the space's anchor, a uniform
network (``k3_e3`` in FBNet's spaces). Found networks (one search a seed and mode, all modes with about the
same processor time) stand against random networks, uniform ones, a published pattern, the largest networks
that the table alone gives (most multiply-accumulates, most parameters, both) and those that ``--rival``
names, all within 3 % of the target as *measured* in one session (where a search lists none so near, its
nearest; ``of_target`` tells). Each is trained from scratch with every seed; a search has two networks
trained with its seed, as every search does, and the validation split chooses one. "Best of 2 random" has
the same choice; "found or most MACs" has both found ones and the largest to choose from, as a search
delivers. The test images decide.

    python -m benchmarks.search_quality --data /usr/share/datasets/fashion-mnist
    python -m benchmarks.search_quality --data /usr/share/datasets/fashion-mnist --quick

On two cores, for images of CIFAR, the first took 39 minutes and the second 5 (11 on a slower machine).
What is done is kept in the folder ``--out``: an interrupted run goes on there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.contest import DEFAULT_MODE, MODES, Contest, Sizes
from benchmarks.contestants import MOST
from benchmarks.machine import figures_parser, print_figures
from benchmarks.standings import Standing, difference, print_standings
from benchmarks.trials import Network
from shared.search_space import SPACE_NAMES, search_space

QUICK = Sizes((DEFAULT_MODE,), 2, 4, 2500, 5, 4, 4)
SIZES = ("num_seeds", "num_random", "num_images", "train_epochs", "search_epochs")


def main() -> None:
    """Run the contest; print a table and the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--data", default="digits", help="a folder of images; digits are too easy to tell")
    parser.add_argument("--space", default="fbnet-tiny:width=0.5")
    parser.add_argument("--quick", action="store_true", help="about ten minutes: fewer of everything")
    for name in SIZES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    parser.add_argument(
        "--modes", nargs="+", choices=MODES, help="ways to search; the default one is among them"
    )
    parser.add_argument(
        "--rival",
        nargs=3,
        action="append",
        default=[],
        metavar=("NAME", "SPACE", "BLOCKS"),
        help="a network of another space, brought to the target by its width; again for more",
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(".benchmarks/search_quality"))
    arguments = parser.parse_args()
    given = {name: getattr(arguments, name) for name in SIZES if getattr(arguments, name) is not None}
    if arguments.modes:
        given["modes"] = tuple(dict.fromkeys((DEFAULT_MODE, *arguments.modes)))
    sizes = replace(QUICK if arguments.quick else Sizes(), **given)
    space = search_space(arguments.space)
    if space.name.partition(":")[0] not in SPACE_NAMES:
        parser.error(f"--space takes {', '.join(SPACE_NAMES)}, with overrides: others are not scaled")
    rivals = {name: Network(rival_space, blocks) for name, rival_space, blocks in arguments.rival}
    contest = Contest(space, arguments.data, sizes, arguments.out, arguments.processes, rivals)
    contest.images.load(space.resolution).require_fit(space.num_classes, space.name)
    standings, costs = contest.run()
    if not arguments.json:
        print_standings(standings, costs)
    setting = {"benchmark": "search_quality", "space": space.name, "data": Path(arguments.data).name}
    setting |= {name: getattr(sizes, name) for name in SIZES}
    print_figures({**setting, **figures(standings, costs)})


def figures(standings: Sequence[Standing], costs: Mapping[str, float]) -> dict[str, Any]:
    """Return what the last line says beside the setting."""
    by_name = {standing.name: standing for standing in standings}
    found = by_name[f"found: {DEFAULT_MODE}"]
    delivered = by_name[f"found or most MACs: {DEFAULT_MODE}"]
    others = [standing for standing in standings if not standing.is_found]
    best_other = max(others, key=lambda standing: standing.mean)

    def minus_most(one: Standing) -> dict[str, dict[str, float | None]]:
        return {
            other.name: difference(one.accuracies, other.accuracies)
            for other in others
            if other.name in MOST
        }

    randoms = [standing.mean for standing in others if standing.name.startswith("random")]
    return {
        "num_others": len(others),
        "found_mean": found.mean,
        "best_other": best_other.name,
        "best_other_mean": best_other.mean,
        "found_minus_most": minus_most(found),
        "delivered_minus_most": minus_most(delivered),
        "found_minus_best_other": difference(found.accuracies, best_other.accuracies),
        "found_minus_random": difference(found.accuracies, randoms),
        "search_cost_in_trainings": costs[DEFAULT_MODE],
        "search_costs_in_trainings": costs,
        "networks": [standing.as_figures() for standing in standings],
    }


if __name__ == "__main__":
    main()
