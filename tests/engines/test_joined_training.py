"""One training by two processes is that of one; one that loses a process goes on from its last epoch."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed

from search_server.engines.local import LocalEngine
from search_server.nas.joined import JoinedBatchNorm
from search_server.searches.training import num_joined
from search_server.searches.trainings import train_network, train_together
from tests.engines.jobs import (
    Book,
    FatalTraining,
    Tensors,
    exact_training,
    go_on,
    norm_of,
    norm_part,
    normed,
    tell_nobody,
    training_task,
    training_that_loses_a_process,
)

pytestmark = pytest.mark.timeout(1200)  # each process loads torch, on whatever machine

TOLERANCE = 1e-10
"""Of weights after two epochs in double precision: two processes add in another order than one.

Training makes any difference grow, tenfold a step and more at the rate of trainings in a network as small
as this one, whether another order of adding made it or weights that one process began with 1e-12 off.
"""


@pytest.fixture(scope="module")
def together() -> Book:
    """The training by two processes."""
    book = Book()
    LocalEngine(2).run_together(train_together, training_task(), 2, None, book.on_report, go_on)
    return book


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_same_batches() -> None:
    """With mixup, an average over steps and a teacher; of a step one computes 16 images, the other 14."""
    books = Book(), Book()
    for num_processes, book in enumerate(books, 1):
        task = training_task()
        LocalEngine(2).run_together(exact_training, task, num_processes, None, book.on_report, go_on)
    (facts, state), (other_facts, other_state) = (book.facts[0] for book in books)
    assert state.keys() == other_state.keys()
    for name, value in state.items():
        torch.testing.assert_close(value, other_state[name], rtol=TOLERANCE, atol=TOLERANCE)
    for one, other in zip(facts, other_facts, strict=True):
        assert (one.epoch, one.accuracy, one.lr) == (other.epoch, other.accuracy, other.lr)
        assert one.loss == pytest.approx(other.loss, rel=TOLERANCE)


@pytest.mark.slow
def test_two_processes_train_a_network_as_good_as_that_of_one() -> None:
    """In single precision at the rate of trainings, where weights do not agree: accuracies within 0.05."""
    task, book = replace(training_task(train_epochs=12, mixup=0.0, ema_decay=0.0), teacher=None), Book()
    alone = train_network(task, tell_nobody)
    LocalEngine(2).run_together(train_together, task, 2, None, book.on_report, go_on)
    assert alone.test_accuracy > 0.9
    assert book.facts[-1].test_accuracy == pytest.approx(alone.test_accuracy, abs=0.05)


@pytest.mark.slow
def test_a_training_whose_process_is_killed_ends_with_the_same_bits(together: Book, tmp_path: Path) -> None:
    book, fatal = Book(), FatalTraining(training_task(), tmp_path / "died")
    LocalEngine(2).run_together(training_that_loses_a_process, fatal, 2, None, book.on_report, go_on)
    assert fatal.mark.exists()
    assert [words for _, words in book.facts[:-1]] == [
        f"training the found network: epoch {epoch} of 3" for epoch in (1, 2, 3)
    ]
    assert book.facts == together.facts


def test_a_training_goes_on_from_its_checkpoint_to_the_same_bits() -> None:
    task, first, rest = training_task(), Book(), Book()
    LocalEngine().run_together(train_together, task, 1, None, first.on_report, go_on)
    LocalEngine().run_together(train_together, task, 1, first.checkpoints[0], rest.on_report, go_on)
    assert len(rest.facts) == len(first.facts) - 1
    assert rest.facts[-1].weights == first.facts[-1].weights == train_network(task, tell_nobody).weights


@pytest.mark.parametrize(
    ("num_networks", "num_processes", "expected"),
    [(5, 1, 0), (5, 2, 1), (4, 2, 0), (1, 2, 1), (1, 8, 1), (4, 8, 4), (5, 8, 0), (11, 8, 3), (0, 8, 0)],
)
def test_processes_join_where_half_of_them_would_wait(
    num_networks: int, num_processes: int, expected: int
) -> None:
    assert num_joined(num_networks, num_processes) == expected


@pytest.fixture
def lonely_group() -> Iterator[None]:
    """A process group of one."""
    store = distributed.HashStore()  # type: ignore[attr-defined]
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def norm_inputs() -> Tensors:
    source = torch.Generator().manual_seed(3)
    draw = {"dtype": torch.float64, "generator": source}
    return {
        "x": 5 + 2 * torch.randn(6, 3, 4, 4, **draw),  # type: ignore[call-overload]
        "pulled": torch.randn(6, 3, 4, 4, **draw),  # type: ignore[call-overload]
        "weight": torch.randn(3, **draw),  # type: ignore[call-overload]
        "bias": torch.randn(3, **draw),  # type: ignore[call-overload]
    }


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.usefixtures("lonely_group")
def test_a_joined_batch_norm_of_one_process_is_torch_s() -> None:
    inputs = norm_inputs()
    norm, joined_norm = norm_of(inputs), JoinedBatchNorm.like(norm_of(inputs))
    assert_close(
        normed(joined_norm, inputs["x"], inputs["pulled"]), normed(norm, inputs["x"], inputs["pulled"])
    )


@pytest.mark.slow
def test_two_processes_norm_their_parts_as_torch_norms_the_whole() -> None:
    """Four images here, two there: outputs, gradients and running statistics in double precision."""
    inputs, parts, book = norm_inputs(), [slice(0, 4), slice(4, 6)], Book()
    LocalEngine(2).run_together(norm_part, (inputs, parts), 2, None, book.on_report, go_on)
    (found,) = book.facts
    whole = normed(norm_of(inputs), inputs["x"], inputs["pulled"])
    for own, part in zip(found, parts, strict=True):
        expected = {name: whole[name][part] for name in ("y", "gradient of x")}
        statistics = ("running_mean", "running_var", "num_batches_tracked")
        assert_close(own, expected | {name: whole[name] for name in statistics})
    for name in ("gradient of weight", "gradient of bias"):
        assert_close({name: found[0][name] + found[1][name]}, {name: whole[name]})
