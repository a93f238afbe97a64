"""The engine local: a search by two processes is that of one with two shards; what dies is begun anew."""

import time
from io import BytesIO
from pathlib import Path

import pytest
import torch

from search_server.engines.local import LocalEngine
from search_server.nas.checkpoint import load_checkpoint
from search_server.nas.search import SearchRun
from search_server.nas.shards import Shards
from search_server.searches.shared_search import SearchTask, search_together
from tests.engines.jobs import (
    Book,
    Fatal,
    die_once,
    go_on,
    refuse,
    search_task,
    search_that_loses_a_process,
    square,
    wait_long,
)

pytestmark = pytest.mark.timeout(1200)  # each process loads torch, on whatever machine

PATIENCE_S = 120
TOLERANCE = 1e-6
"""Of theta: two processes add two gradients, in either order the same; more would round otherwise."""


class EndedError(Exception):
    """The job is to end."""


def searched(num_processes: int, task: SearchTask) -> tuple[Book, SearchRun]:
    book = Book()
    LocalEngine(2).run_together(search_together, task, num_processes, None, book.on_report, go_on)
    return book, run_of(task, book)


def run_of(task: SearchTask, book: Book) -> SearchRun:
    run = task.new_run(Shards(task.num_shards))
    load_checkpoint(run, BytesIO(book.checkpoints[-1]))
    return run


@pytest.fixture(scope="module")
def alone() -> tuple[Book, SearchRun]:
    """A search with two shards a step, by one process."""
    return searched(1, search_task(2))


def assert_alike(run: SearchRun, other: SearchRun) -> None:
    theta_LK, other_LK = run.supernet.theta_LK, other.supernet.theta_LK
    torch.testing.assert_close(theta_LK, other_LK, rtol=TOLERANCE, atol=TOLERANCE)
    effects_LK, other_effects_LK = run.theta.effects.effects_LK(), other.theta.effects.effects_LK()
    torch.testing.assert_close(effects_LK, other_effects_LK, rtol=TOLERANCE, atol=TOLERANCE)
    assert bool(effects_LK.any())
    assert run.architecture() == other.architecture()


@pytest.mark.slow
def test_two_processes_search_as_one_with_the_same_batches(alone: tuple[Book, SearchRun]) -> None:
    task = search_task(2)
    book, run = searched(2, task)
    assert [facts.step for facts in book.facts] == [facts.step for facts in alone[0].facts]
    assert book.facts[-1].weight_loss == pytest.approx(alone[0].facts[-1].weight_loss, rel=1e-5)
    assert_alike(run, alone[1])
    assert not any(facts.warnings for facts in book.facts)
    assert "2 shards, which 1 processes compute" in alone[0].facts[0].warnings[0]


@pytest.mark.slow
def test_a_search_whose_process_is_killed_ends_as_if_nothing_had_happened(
    alone: tuple[Book, SearchRun], tmp_path: Path
) -> None:
    task, book = search_task(2), Book()
    fatal = Fatal(task, tmp_path / "died")
    LocalEngine(2).run_together(search_that_loses_a_process, fatal, 2, None, book.on_report, go_on)
    assert fatal.mark.exists()
    assert_alike(run_of(task, book), alone[1])


@pytest.mark.slow
def test_a_search_goes_on_with_another_number_of_processes(alone: tuple[Book, SearchRun]) -> None:
    """Two epochs by one process, the rest by two."""
    task, book = search_task(2), Book()
    checkpoint = alone[0].checkpoints[1]
    LocalEngine(2).run_together(search_together, task, 2, checkpoint, book.on_report, go_on)
    assert [facts.epoch for facts in book.facts] == [2, 3]
    assert_alike(run_of(task, book), alone[1])


def test_one_shard_is_not_the_search_of_two(alone: tuple[Book, SearchRun]) -> None:
    book, run = searched(1, search_task(1))
    assert not torch.equal(run.supernet.theta_LK, alone[1].supernet.theta_LK)
    assert not any(facts.warnings for facts in book.facts)


@pytest.mark.slow
def test_what_one_process_refuses_ends_all_with_its_words() -> None:
    with pytest.raises(ValueError, match="nobody can do the washing"):
        LocalEngine(2).run_together(refuse, "the washing", 2, None, Book().on_report, go_on)


@pytest.mark.parametrize("num_processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_tasks_are_answered_in_order_whoever_is_done_first(num_processes: int) -> None:
    told: list[tuple[int, float, str]] = []
    done: dict[int, int] = {}
    outcomes = LocalEngine(num_processes).spread(
        square, [3, 1, 2], lambda *words: told.append(words), done.__setitem__, go_on
    )
    assert outcomes == [9, 1, 4]
    assert done == {0: 9, 1: 1, 2: 4}
    assert set(told) <= {(0, 0.5, "squaring 3"), (1, 0.5, "squaring 1"), (2, 0.5, "squaring 2")}
    with pytest.raises(ValueError, match="-1 is below 0"):
        LocalEngine(num_processes).spread(
            square, [3, -1], lambda *words: told.append(words), done.__setitem__, go_on
        )


@pytest.mark.slow
def test_a_task_whose_process_dies_is_done_again(tmp_path: Path) -> None:
    marks = [tmp_path / name for name in ("first", "second")]
    outcomes = LocalEngine(2).spread(die_once, marks, ignore, ignore_outcome, go_on)
    assert outcomes == ["first", "second"]


@pytest.mark.slow
def test_what_ends_a_job_ends_all_of_its_processes(tmp_path: Path) -> None:
    def end() -> None:
        if len(list(tmp_path.iterdir())) == 2:
            raise EndedError

    with pytest.raises(EndedError):
        LocalEngine(2).spread(wait_long, [tmp_path] * 4, ignore, ignore_outcome, end)
    until_gone([int(path.name) for path in tmp_path.iterdir()])
    assert len(list(tmp_path.iterdir())) == 2


def until_gone(process_ids: list[int]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{number}").exists() for number in process_ids):
        assert time.monotonic() < until_s, "a process lives on"
        time.sleep(0.05)


def ignore(index: int, share: float, words: str) -> None:
    """Take what a task tells."""


def ignore_outcome(index: int, outcome: object) -> None:
    """Take what a task led to."""
