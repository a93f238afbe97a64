import math

import pytest
import torch

from search_server.nas.budget.latency_model import LatencyModel
from search_server.nas.supernet.paths import log_probabilities
from tests.nas.small_search import LATENCY, NUM_CANDIDATES, NUM_LAYERS, TABLE, HandTable, random_theta

HAND_TABLE = HandTable([[1.0, 3.0], [5.0, 9.0]], fixed_us=10.0)


def test_expected_latency_by_hand() -> None:
    model = LatencyModel(HAND_TABLE, 2, 2)
    weights_LK = torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    assert float(model.expected_us(weights_LK)) == 10 + (0.25 * 1 + 0.75 * 3) + (0.5 * 5 + 0.5 * 9)
    assert model.min_us == 16.0


def test_its_gradient_agrees_with_finite_differences() -> None:
    theta_LK = random_theta(1).double().requires_grad_()
    expected_us = LATENCY.expected_us(log_probabilities(theta_LK).exp())
    (gradient_LK,) = torch.autograd.grad(expected_us, theta_LK)
    step = 1e-5
    for layer, candidate in ((0, 0), (3, 4), (NUM_LAYERS - 1, NUM_CANDIDATES - 1)):
        values = []
        for sign in (1, -1):
            moved_LK = theta_LK.detach().clone()
            moved_LK[layer, candidate] += sign * step
            values.append(float(LATENCY.expected_us(log_probabilities(moved_LK).exp())))
        difference = (values[0] - values[1]) / (2 * step)
        assert float(gradient_LK[layer, candidate]) == pytest.approx(difference, rel=1e-5)


def test_the_gradient_by_theta_by_hand() -> None:
    """d E / d theta_k = p_k * (latency_k - mean of the layer): 0.5 * (1 - 2) and 0.25 * (9 - 6)."""
    theta_LK = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]], requires_grad=True)
    expected_us = LatencyModel(HAND_TABLE, 2, 2).expected_us(log_probabilities(theta_LK).exp())
    assert expected_us.item() == pytest.approx(10 + 2 + 6)
    (gradient_LK,) = torch.autograd.grad(expected_us, theta_LK)
    torch.testing.assert_close(gradient_LK, torch.tensor([[-0.5, 0.5], [-0.75, 0.75]]))


def test_a_table_of_another_shape_or_with_gaps_is_refused() -> None:
    with pytest.raises(ValueError, match="6 layers x 9 candidates, the space 22 x 9"):
        LatencyModel(TABLE, 22, NUM_CANDIDATES)
    with pytest.raises(ValueError, match="not finite"):
        LatencyModel(HandTable([[1.0, math.nan], [1.0, 1.0]]), 2, 2)
