"""The engine ray on two nodes of this machine, with a token; skipped where Ray is not installed."""

import os
import secrets
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
import torch  # before ray

from search_server.engines.local import LocalEngine
from search_server.nas.checkpoint import load_checkpoint
from search_server.nas.search import SearchRun
from search_server.nas.shards import Shards
from search_server.searches.shared_search import SearchTask, search_together
from tests.engines.jobs import Book, go_on, search_task, square

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # each process loads torch and Ray
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "600")
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'edgenas[ray]'")
pytest.importorskip("ray.train", reason="Ray Train is not installed: pip install 'edgenas[ray]'")

from ray.cluster_utils import Cluster  # noqa: E402

from search_server.engines.ray import RayEngine  # noqa: E402

OTHER, SPARE = ({"num_cpus": 1, "node_ip_address": address} for address in ("127.0.0.2", "127.0.0.3"))
"""Other hosts than that of the head, which is joined before there are others."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head and another node, a processor each."""
    head = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, connect=True, head_node_args=head)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def run_of(task: SearchTask, book: Book) -> SearchRun:
    run = task.new_run(Shards(task.num_shards))
    load_checkpoint(run, BytesIO(book.checkpoints[-1]))
    return run


def test_a_search_that_loses_a_node_ends_with_the_network_of_an_undisturbed_one(cluster: Any) -> None:
    node = cluster.add_node(**OTHER)
    task, book, undisturbed = search_task(2), Book(), Book()

    def lose_a_node(facts: Any, checkpoint: bytes) -> None:
        book.on_report(facts, checkpoint)
        if len(book.facts) == 1:
            cluster.add_node(**SPARE)  # without it Ray waits ten minutes before it goes on with one process
            cluster.remove_node(node, allow_graceful=False)

    engine = RayEngine(cluster.address, 2)
    engine.run_together(search_together, task, 2, None, lose_a_node, go_on)
    LocalEngine().run_together(search_together, task, 1, None, undisturbed.on_report, go_on)
    lost, whole = run_of(task, book), run_of(task, undisturbed)
    assert lost.epoch == whole.epoch == task.request.epochs
    torch.testing.assert_close(lost.supernet.theta_LK, whole.supernet.theta_LK, rtol=1e-6, atol=1e-6)
    assert lost.architecture() == whole.architecture()


def test_tasks_are_spread_and_a_refusal_comes_home(cluster: Any) -> None:
    done: dict[int, int] = {}
    engine = RayEngine(cluster.address, 2)
    assert engine.spread(square, [3, 1, 2], lambda *_: None, done.__setitem__, go_on) == [9, 1, 4]
    assert done == {0: 9, 1: 1, 2: 4}
    with pytest.raises(ValueError, match="-1 is below 0"):
        engine.spread(square, [-1], lambda *_: None, done.__setitem__, go_on)
