"""The area that a set of networks is better than, by hand; targets; and networks decoded for them."""

import numpy as np
import pytest

from benchmarks.front import Entrant, decoded, figures, hypervolume, print_fronts, targets
from benchmarks.trials import Network
from search_server.nas.choosing.front import front_targets_us
from shared.search_space import search_space
from tests.search_server.tables import known_table

SPACE = search_space("fbnet-tiny:width=0.5")


@pytest.mark.parametrize(
    ("points", "share"),
    [
        ([], 0.0),
        ([(1.0, 1.0)], 1.0),
        ([(2.0, 0.6)], 2 * 0.5 / (3 * 0.9)),
        ([(1.0, 0.4), (2.0, 0.6), (3.0, 0.5)], (1 * 0.3 + 2 * 0.5) / (3 * 0.9)),
        ([(0.5, 0.4), (9.0, 1.0)], 3 * 0.3 / (3 * 0.9)),
        ([(2.0, 0.05)], 0.0),
    ],
)
def test_the_hypervolume_by_hand(points: list[tuple[float, float]], share: float) -> None:
    """From 1 to 4 ms and from an accuracy of 0.1 to 1."""
    assert hypervolume(points, 4.0, 1.0, 0.1) == pytest.approx(share)


def test_targets_lie_in_even_ratios() -> None:
    assert front_targets_us(100.0, 2100.0, 3) == pytest.approx([200.0, (200 * 2100) ** 0.5, 2100.0])


def test_a_network_is_decoded_for_each_target() -> None:
    table = known_table("pixel", SPACE.name)
    effects_LK = np.random.default_rng(0).normal(size=(SPACE.num_layers, len(SPACE.candidates)))
    wanted_us = targets(table, effects_LK, 5)
    networks = [decoded(SPACE, table, effects_LK, target_us) for target_us in wanted_us]
    for network, target_us in zip(networks, wanted_us, strict=True):
        assert 0.97 * target_us <= table.predict_us(network) <= target_us * (1 + 1e-9)
    assert networks[-1].indices == tuple(effects_LK.argmin(1))


def test_the_figures_tell_how_many_networks_are_on_target(capsys: pytest.CaptureFixture[str]) -> None:
    """Chance is a tenth; the rectangle is that of 1 to 4 ms, 3 % wider on both sides."""
    fast, slow = (Network(SPACE.name, ",".join([block] * SPACE.num_layers)) for block in ("skip", "k3_e6"))
    front = [Entrant(fast, 2.04, 2.0), Entrant(slow, 4.2, 4.0)]
    entrants = {("ncnn", "front"): front, ("ncnn", "uniform"): [Entrant(slow, 4.0)]}
    accuracy = {str(fast): 0.6, str(slow): 0.8}
    found = figures(SPACE, "digits", entrants, accuracy, {"ncnn": [1000.0, 4000.0]})
    assert (found["num_targets"], found["num_within_3_percent"]) == (2, 1)
    assert found["largest_off"] == pytest.approx(0.05)
    volumes = found["hypervolume"]["ncnn"]
    assert volumes["front"] == pytest.approx((4.12 - 2.04) * 0.5 / ((4.12 - 0.97) * 0.9))
    assert volumes["uniform"] == pytest.approx((4.12 - 4.0) * 0.7 / ((4.12 - 0.97) * 0.9))
    print_fronts(entrants, accuracy, found["hypervolume"])
    assert "+5.0%" in capsys.readouterr().out
