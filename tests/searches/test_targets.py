"""Networks are brought to their targets by what was measured, each point by its own networks."""

from collections.abc import Callable, Mapping

from search_server.nas.budget.caps import latency_cap
from search_server.nas.budget.latency_model import LatencyModel
from search_server.nas.choosing.decided import best_network
from search_server.nas.choosing.most import share_LK
from search_server.searches.targets import MARGIN, MAX_CORRECTIONS, brought_to_targets
from shared.architecture import Architecture
from shared.search_space import search_space
from tests.search_server.tables import known_table

SPACE = search_space("fbnet-tiny")
TABLE = known_table("pixel", SPACE.name)
MODEL = LatencyModel(TABLE, SPACE.num_layers, len(SPACE.candidates))
LEAST_US, MOST_US = TABLE.latency_range_us()
TARGETS_US = {share: LEAST_US + share * (MOST_US - LEAST_US) for share in (0.2, 0.4, 0.8)}


def decode(_: float, limit_us: float) -> Architecture:
    cap = latency_cap("latency", MODEL, max(limit_us, MODEL.min_us))
    return best_network(SPACE, share_LK(SPACE, "macs"), [cap], 1 - MARGIN)


def brought(true_us: Callable[[Architecture], float]) -> tuple[dict[float, float], list[int]]:
    """Return measured over target by point, and how many points each measurement was asked for."""
    asked: list[int] = []

    def measure_us(networks: Mapping[float, Architecture]) -> dict[float, float]:
        asked.append(len(networks))
        return {point: true_us(network) for point, network in networks.items()}

    networks = brought_to_targets(TARGETS_US, decode, lambda _, each: TABLE.predict_us(each), measure_us)
    return {point: true_us(each) / TARGETS_US[point] for point, each in networks.items()}, asked


def test_what_a_table_predicts_rightly_stays_and_is_well_inside_what_is_on_target() -> None:
    shares, asked = brought(TABLE.predict_us)
    assert all(0.98 <= share <= 0.99 + 1e-9 for share in shares.values())
    assert asked == [3] + [0] * MAX_CORRECTIONS


def test_small_networks_that_are_slower_than_predicted_are_corrected_and_others_left_alone() -> None:
    """A run takes as much more as a tenth of the smallest target, whatever the network."""
    shares, asked = brought(lambda network: TABLE.predict_us(network) + TARGETS_US[0.2] / 10)
    assert all(abs(share - 1) <= 0.03 for share in shares.values())
    assert asked[0] == 3
    assert asked[1] > 0


def test_a_correction_that_jumps_over_its_target_is_corrected_once_more() -> None:
    """At the target a network takes 1.2 times its prediction, below it ever less: 1.2, 0.76, 1.05."""
    shares, asked = brought(lambda network: 1.2 * TABLE.predict_us(network) ** 2.5 / TARGETS_US[0.4] ** 1.5)
    assert abs(shares[0.4] - 1) < 0.1
    assert len(asked) == 1 + MAX_CORRECTIONS
    assert all(asked)


def test_of_two_misses_the_nearer_one_stays() -> None:
    """Every network but the first is measured at three times its prediction."""
    seen: list[Architecture] = []

    def true_us(network: Architecture) -> float:
        if len(seen) < len(TARGETS_US) and network not in seen:
            seen.append(network)
        return TABLE.predict_us(network) * (1.05 if network in seen else 3.0)

    shares, _ = brought(true_us)
    assert all(1.0 < share <= 1.05 * (1 + 1e-9) for share in shares.values())
