import pytest
import torch

from search_server.nas.data.batches import evaluation_batches, training_batches
from search_server.nas.train import TrainConfig, evaluate, train
from shared.architecture import uniform_architecture
from shared.modules import NetworkModule, network_module
from tests.nas.small_search import SPACE, digits, generator

DATA = digits()


def trained(epochs: int) -> tuple[NetworkModule, list[float]]:
    network = network_module(uniform_architecture(SPACE, "k3_e3").workload(), generator(1))
    batches = training_batches(DATA.training.select(range(640)), 16, seed=3)
    facts = list(train(network, batches, TrainConfig(epochs=epochs)))
    assert [each.epoch for each in facts] == list(range(epochs))
    return network, [each.accuracy for each in facts]


def test_a_few_steps_learn_the_digits() -> None:
    fresh = network_module(uniform_architecture(SPACE, "k3_e3").workload(), generator(1))
    before = evaluate(fresh, evaluation_batches(DATA.validation))
    network, accuracies = trained(3)
    assert accuracies[-1] > accuracies[0]
    assert evaluate(network, evaluation_batches(DATA.validation)) > before + 0.4


def test_the_same_training_ends_with_the_same_bits() -> None:
    (first, _), (second, _) = trained(1), trained(1)
    state = second.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in first.state_dict().items())


def test_values_out_of_range_are_refused() -> None:
    for changes, message in (
        ({"epochs": 0}, "epochs"),
        ({"lr": 0.0}, "lr must be above 0"),
        ({"rise": 1.0}, "rise"),
    ):
        with pytest.raises(ValueError, match=message):
            TrainConfig(**changes)
