import math

import numpy as np
import pytest
import torch

from search_server.nas.data.batches import evaluation_batches, training_batches
from search_server.nas.mixup import blended, label_loss
from search_server.nas.teacher import Teacher
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
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"mixup": -0.1}, "mixup"),
    ):
        with pytest.raises(ValueError, match=message):
            TrainConfig(**changes)


class OnePlate(torch.nn.Module):
    """Logits are the first pixel of the first two channels times two weights."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weights))

    def forward(self, images_NCHW: torch.Tensor) -> torch.Tensor:
        return images_NCHW[:, :2, 0, 0] * self.weight


def test_a_teacher_that_agrees_teaches_nothing_and_one_that_differs_pulls() -> None:
    images = torch.tensor([[1.0, 2.0, 0.0]]).reshape(1, 3, 1, 1)
    teacher = Teacher(OnePlate(1.0, 1.0).eval(), weight=1.0)
    assert float(teacher.loss(images, torch.tensor([[1.0, 2.0]]))) == pytest.approx(0, abs=1e-6)
    # By hand: softmax of (1, 2) / 4 is (0.437823, 0.562177), that of equal logits (0.5, 0.5).
    by_hand = 16 * (0.437823 * math.log(0.437823 / 0.5) + 0.562177 * math.log(0.562177 / 0.5))
    assert float(teacher.loss(images, torch.tensor([[7.0, 7.0]]))) == pytest.approx(by_hand, rel=1e-3)


def test_a_network_learns_from_its_teacher_alone() -> None:
    """The labels have no share, so the answers become those of the teacher, wrong as they are."""
    batches = training_batches(DATA.training.select(range(640)), 16, seed=3)
    wrong = Always(4)
    network = network_module(uniform_architecture(SPACE, "k3_e3").workload(), generator(1))
    list(train(network, batches, TrainConfig(epochs=1), Teacher(wrong.eval(), weight=1.0)))
    is_four = sum(int((labels_N == 4).sum()) for _, labels_N in evaluation_batches(DATA.validation))
    share = is_four / len(DATA.validation.labels_N)
    assert evaluate(network, evaluation_batches(DATA.validation)) == pytest.approx(share, abs=0.02)


class Always(torch.nn.Module):
    """Sure of one class of ten, whatever it is shown."""

    def __init__(self, label: int) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(20.0 * torch.nn.functional.one_hot(torch.tensor(label), 10))

    def forward(self, images_NCHW: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(images_NCHW), -1)


def test_a_teacher_of_other_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 10\), not with logits of shape \(1, 3\)"):
        Teacher(Always(0).eval(), 0.5).require_classes(16, 3)


def test_blends_are_of_opposites_and_their_loss_is_shared() -> None:
    images = torch.arange(2.0).reshape(2, 1, 1, 1)
    mixed, share = blended(images, 1.0, np.random.default_rng(0))
    assert 0.5 <= share < 1
    assert mixed.flatten().tolist() == pytest.approx([1 - share, share])
    # By hand: equal logits of two classes cost log 2, whatever the labels.
    logits, labels = torch.zeros(2, 2), torch.tensor([0, 1])
    assert float(label_loss(logits, labels, 0.7, 0.0)) == pytest.approx(math.log(2))
    # One sure and right answer of a blend pays for the share of the other: 0.3 * 20 nats.
    sure = torch.tensor([[20.0, 0.0], [0.0, 20.0]])
    assert float(label_loss(sure, labels, 0.7, 0.0)) == pytest.approx(6.0, abs=1e-3)
    assert blended(images, 0.0, np.random.default_rng(0)) == (images, 1.0)


def test_a_training_ends_with_the_average_of_its_steps() -> None:
    """Against the recursion written out over the states that the same training without average has."""
    batches = DATA.training.select(range(64))

    def states(epochs: int, ema_decay: float) -> list[torch.Tensor]:
        network = network_module(uniform_architecture(SPACE, "k3_e3").workload(), generator(1))
        weight = next(network.parameters())
        config = TrainConfig(epochs=epochs, ema_decay=ema_decay)
        return [weight.detach().clone() for _ in train(network, training_batches(batches, 64, 3), config)]

    plain, averaged = states(3, 0.0), states(3, 0.5)  # one step an epoch
    expected = plain[0]
    for num_steps, after in ((1, plain[1]), (2, plain[2])):
        decay = min(0.5, (1 + num_steps) / (10 + num_steps))
        expected = decay * expected + (1 - decay) * after
    assert torch.allclose(averaged[-1], expected, atol=1e-6)
    assert not torch.allclose(averaged[-1], plain[-1], atol=1e-6)
