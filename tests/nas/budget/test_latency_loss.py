import math
from dataclasses import dataclass, field

import pytest
import torch

from search_server.nas.budget.latency_loss import AdditiveLoss, FBNetLoss
from search_server.nas.budget.latency_model import LatencyModel
from search_server.nas.supernet.paths import log_probabilities
from tests.nas.small_search import LATENCY, NUM_CANDIDATES, NUM_LAYERS, TABLE, random_theta


@dataclass
class HandTable:
    fixed_us: float = 10.0
    rows: list[list[float]] = field(default_factory=lambda: [[1.0, 3.0], [5.0, 9.0]])

    def latency_us_LK(self) -> list[list[float]]:
        return self.rows


def test_expected_latency_by_hand() -> None:
    model = LatencyModel(HandTable(), 2, 2)
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
    expected_us = LatencyModel(HandTable(), 2, 2).expected_us(log_probabilities(theta_LK).exp())
    assert expected_us.item() == pytest.approx(10 + 2 + 6)
    (gradient_LK,) = torch.autograd.grad(expected_us, theta_LK)
    torch.testing.assert_close(gradient_LK, torch.tensor([[-0.5, 0.5], [-0.75, 0.75]]))


def test_a_table_of_another_shape_or_with_gaps_is_refused() -> None:
    with pytest.raises(ValueError, match="6 layers x 9 candidates, the space 22 x 9"):
        LatencyModel(TABLE, 22, NUM_CANDIDATES)
    with pytest.raises(ValueError, match="not finite"):
        LatencyModel(HandTable(rows=[[1.0, math.nan], [1.0, 1.0]]), 2, 2)


def test_the_paper_s_loss_by_hand() -> None:
    cross_entropy, latency_us = torch.tensor(1.5), torch.tensor(20_000.0, requires_grad=True)
    loss = FBNetLoss(min_us=1500.0)(cross_entropy, latency_us)
    assert loss.item() == pytest.approx(1.5 * 0.2 * math.log(20_000) ** 0.6)
    (slope,) = torch.autograd.grad(loss, latency_us)
    by_hand = 1.5 * 0.2 * 0.6 * math.log(20_000) ** -0.4 / 20_000
    assert float(slope) == pytest.approx(by_hand)
    in_ms = FBNetLoss(min_us=1500.0, unit="ms")(cross_entropy, latency_us)
    assert in_ms.item() == pytest.approx(1.5 * 0.2 * math.log(20) ** 0.6)


def test_the_paper_s_loss_is_refused_where_the_logarithm_is_not_positive() -> None:
    with pytest.raises(ValueError, match=r"takes 0\.9 ms.*use unit 'us'"):
        FBNetLoss(min_us=900.0, unit="ms")
    with pytest.raises(ValueError, match="takes 1 us"):
        FBNetLoss(min_us=1.0)


def test_the_unit_only_shifts_the_additive_loss() -> None:
    loss = AdditiveLoss(0.1)
    slow, fast = (float(loss(torch.tensor(1.0), torch.tensor(us))) for us in (2000.0, 1000.0))
    assert slow - fast == pytest.approx(0.1 * math.log(2))
