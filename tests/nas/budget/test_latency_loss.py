import math

import pytest
import torch

from search_server.nas.budget.latency_loss import AdditiveLoss, FBNetLoss


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
