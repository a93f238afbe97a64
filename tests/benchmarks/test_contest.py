"""Who enters a contest, and which of a search's networks stands for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks.contest import TIMING_S, Contest, Sizes
from benchmarks.ledger import Outcome, trial_key
from benchmarks.trials import Images, Network, SearchTrial, TimingTrial, TrainingTrial
from shared.search_space import search_space
from tests.search_server.tables import known_table

SPACE = "fbnet-tiny:width=0.5"
TARGET = Network(SPACE, ",".join(["k3_e3"] * 13))
SLOW, FIRST, SECOND, THIRD, RANDOM, OTHER, THIN, THICK = (
    Network(SPACE, name)
    for name in ("slow", "first", "second", "third", "random", "other", "thin", "thick")
)
SEARCH = SearchTrial(
    SPACE, "table", "t1", 1.0, "one", "entangled", "effects", Images("digits", 100), 1, 4, 0
)


@pytest.fixture
def contest(tmp_path: Path) -> Contest:
    return Contest(search_space(SPACE), "digits", Sizes(("mode",), num_seeds=2, num_random=2), tmp_path, 1)


def remember_times(contest: Contest, latency_units: Mapping[Network, float]) -> None:
    for seed in (1, 2):
        trial = TimingTrial(SPACE, tuple(latency_units), TIMING_S, seed)
        contest.ledger.outcomes[trial_key(trial)] = {"latency_units": list(latency_units.values())}


def remember_training(contest: Contest, network: Network, seed: int, accuracies: Sequence[float]) -> None:
    trial = TrainingTrial(network, contest.images, contest.sizes.train_epochs, seed)
    outcome: Outcome = dict(zip(("validation_accuracy", "test_accuracy"), accuracies, strict=True))
    contest.ledger.outcomes[trial_key(trial)] = outcome | {"cpu_s": 1.0}


def test_those_near_the_target_enter_in_the_order_of_the_shortlist(contest: Contest) -> None:
    units = {TARGET: 1.0, RANDOM: 1.02, OTHER: 0.99, THIN: 0.98, THICK: 1.01}
    units |= {SLOW: 1.05, FIRST: 1.01, SECOND: 0.975, THIRD: 1.0}
    remember_times(contest, units)
    names = [network.blocks for network in (SLOW, FIRST, SECOND, THIRD)]
    contest.ledger.outcomes[trial_key(SEARCH)] = {"networks": names}
    hand_made = {"k3_e6": [THIN], "k5_e6": [], "most MACs": [THICK]}
    entrants, _ = contest._equally_fast(
        known_table("pixel"), [RANDOM, OTHER], hand_made, {"mode": [SEARCH, SEARCH]}
    )
    assert entrants == {
        "random 1": [[RANDOM], [RANDOM]],
        "random 2": [[OTHER], [OTHER]],
        "best of 2 random": [[RANDOM, OTHER], [RANDOM, OTHER]],
        "k3_e3": [[TARGET], [TARGET]],
        "k3_e6": [[THIN], [THIN]],
        "most MACs": [[THICK], [THICK]],
        "found: mode": [[FIRST, SECOND], [FIRST, SECOND]],
        "found or most MACs: mode": [[FIRST, SECOND, THICK], [FIRST, SECOND, THICK]],
    }


def test_the_validation_split_chooses_which_network_of_a_seed_is_reported(contest: Contest) -> None:
    remember_training(contest, FIRST, 0, (0.6, 0.5))
    remember_training(contest, SECOND, 0, (0.5, 0.9))
    remember_training(contest, FIRST, 1, (0.5, 0.9))
    remember_training(contest, SECOND, 1, (0.6, 0.4))
    latency_us = {TARGET: 1000.0, FIRST: 1010.0, SECOND: 990.0}
    (standing,) = contest._train({"found: mode": [[FIRST, SECOND], [FIRST, SECOND]]}, latency_us)
    assert standing.networks == (FIRST, SECOND)
    assert standing.accuracies == (0.5, 0.4)
    assert standing.latency_ms == (1.01, 0.99)
