"""LAT of the drawn factors: its gradient against finite differences of the paper's formula."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from search_server.search_options import SearchOptions
from tests.nas.small_search import NUM_CANDIDATES, NUM_LAYERS, TABLE, random_theta, small_search

OPTIONS = SearchOptions(
    loss="fbnet", paths="soft", latency_of="drawn", theta_paths=1, epochs=1, warmup_epochs=0, beta=3.0
)
TAU = 2.0


def weighted_latency(theta_LK: np.ndarray, gumbel_LK: np.ndarray) -> float:
    """Return ``log(LAT(m))^beta``, ``m = softmax((log P_theta + Gumbel) / tau)``: equations 7 and 8."""
    log_p_LK = theta_LK - np.log(np.exp(theta_LK).sum(1, keepdims=True))
    m_LK = np.exp((log_p_LK + gumbel_LK) / TAU)
    m_LK /= m_LK.sum(1, keepdims=True)
    return float(np.log(TABLE.fixed_us + (m_LK * np.array(TABLE.latency_us_LK())).sum()) ** OPTIONS.beta)


def test_the_gradient_of_latency_goes_through_the_drawn_factors() -> None:
    run = small_search(OPTIONS)
    theta_LK = random_theta(5)
    with torch.no_grad():
        run.supernet.theta_LK.copy_(theta_LK)
    state = run.generator.get_state()
    seen = run.theta._path_gradient(next(iter(run.theta_batches)), run.generator, TAU)
    again = torch.Generator()
    again.set_state(state)
    gumbel_LK = (
        -torch.empty(NUM_LAYERS, NUM_CANDIDATES).exponential_(generator=again).log().double().numpy()
    )
    at_LK = theta_LK.double().numpy()
    factor = seen.loss / weighted_latency(at_LK, gumbel_LK)  # alpha * CE
    slopes_LK = np.zeros_like(at_LK)
    for place in np.ndindex(*at_LK.shape):
        moved_LK = np.zeros_like(at_LK)
        moved_LK[place] = 1e-4
        ends = [weighted_latency(at_LK + sign * moved_LK, gumbel_LK) for sign in (1, -1)]
        slopes_LK[place] = factor * (ends[0] - ends[1]) / 2e-4
    np.testing.assert_allclose(
        seen.latency_gradient_LK.numpy(), slopes_LK, atol=2e-4 * abs(slopes_LK).max()
    )


def test_where_paths_are_compared_there_are_no_factors_to_go_through() -> None:
    with pytest.raises(ValueError, match="latency_of 'drawn' goes through the factors of paths"):
        replace(OPTIONS, paths="one", theta_paths=8)
