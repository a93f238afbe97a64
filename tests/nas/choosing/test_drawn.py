import torch

from search_server.nas.budget.caps import is_within
from search_server.nas.choosing.drawn import drawn_architectures
from tests.nas.small_search import MIDDLE_US, TABLE, cap_at, generator, random_theta, supernet_with


def test_drawn_networks_are_distinct_within_the_range_and_repeatable() -> None:
    supernet = supernet_with(random_theta(1))
    caps = [cap_at(1.1 * MIDDLE_US)]
    first, second = (
        list(drawn_architectures(supernet, caps, 20, generator(3), least_share=0.82)) for _ in range(2)
    )
    assert first == second
    assert len({network.blocks for network in first}) == 20
    assert all(0.9 * MIDDLE_US < TABLE.predict_us(network) <= 1.1 * MIDDLE_US for network in first)


def test_a_decided_theta_draws_many_networks_once_it_may_be_less_decided() -> None:
    theta_LK = random_theta(1, size=30.0)
    supernet, caps = supernet_with(theta_LK), [cap_at(1.1 * MIDDLE_US)]
    few, many = (
        list(drawn_architectures(supernet, caps, 20, generator(3), least_share=0.9, least_entropy=entropy))
        for entropy in (0.0, 0.5)
    )
    assert len(few) < 5
    assert len(many) == 20
    assert all(is_within(caps, network, 0.9) for network in many)
    assert torch.equal(supernet.theta_LK.detach(), theta_LK)
