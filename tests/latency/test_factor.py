"""One factor from measured networks, worked out by hand."""

import math
import random

import pytest

from search_server.latency.factor import fit_factor, recalibrated, student_t_90
from search_server.latency.normal import Z_90
from shared.architecture import random_architecture
from tests.search_server.tables import known_table

RATIOS = (0.95, 0.96, 0.97, 0.98, 0.99)


def test_the_factor_is_the_median_and_its_error_that_of_a_median() -> None:
    factor = fit_factor(RATIOS)
    assert (factor.value, factor.num_networks) == (0.97, 5)
    assert factor.scatter == pytest.approx(1.4826 * 0.01 / 0.97)
    sigma = math.sqrt((2 * 0.01**2 + 2 * 0.02**2) / 4) / 0.97  # residuals of 0, 1, 1, 2, 2 hundredths
    assert factor.error == pytest.approx(2.132 * 1.2533 * 0.97 * sigma / math.sqrt(5), rel=2e-3)
    assert factor.network_sigma == pytest.approx(sigma * math.sqrt(1.2) * 2.132 / 1.6449, rel=2e-3)


@pytest.mark.parametrize(("num_free", "quantile"), [(4, 2.1318), (9, 1.8331), (30, 1.6973)])
def test_student_t(num_free: int, quantile: float) -> None:
    assert student_t_90(num_free) == pytest.approx(quantile, rel=2e-3)


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        (RATIOS[:4], "4 different networks are measured, 5 are needed"),
        ((0.8, 0.9, 1.0, 1.1, 1.2), r"scatters by 14.8% \(limit 5%\) around 1.000"),
        ((0.97, 0.99, 1.01, 1.02, 1.03), "1 within its own error"),
    ],
)
def test_a_factor_that_would_not_help_is_refused_with_figures(
    ratios: tuple[float, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        fit_factor(ratios)


def test_entries_keep_their_ratios_and_the_interval_comes_from_the_networks() -> None:
    table = known_table("device")
    factor = fit_factor(RATIOS)
    new = recalibrated(table, factor, "now")
    assert new.anchor_us == table.anchor_us
    for key, entry in table.entries.items():
        assert new.entries[key].latency_units == pytest.approx(0.97 * entry.latency_units)
    network = random_architecture(table.search_space, random.Random(0))
    before, after = table.predict(network), new.predict(network)
    assert after.latency_us == pytest.approx(0.97 * before.latency_us)
    assert after.high_us is not None
    assert after.high_us / after.latency_us - 1 >= Z_90 * factor.network_sigma


def test_nine_of_ten_intervals_hold_a_further_network() -> None:
    generator = random.Random(5)
    num_inside = 0
    for _ in range(2000):
        *ratios, further = (generator.gauss(0.9, 0.01) for _ in range(9))
        factor = fit_factor(ratios)
        num_inside += abs(further / factor.value - 1) <= Z_90 * factor.network_sigma
    assert 0.88 <= num_inside / 2000 <= 0.95
