"""The engine ray on two nodes of this machine, with a token; skipped where Ray is not installed."""

import os
import secrets
import tempfile
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
from tests.engines.jobs import Book, exact_training, go_on, search_task, square, training_task

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # each process loads torch and Ray
# Ray's niceness of 15 leaves its processes next to nothing beside other tests.
os.environ |= {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_worker_niceness": "0",
}
os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "600")
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'edgenas[ray]'")
pytest.importorskip("ray.train", reason="Ray Train is not installed: pip install 'edgenas[ray]'")

from ray.cluster_utils import Cluster  # noqa: E402

from search_server.engines.ray import RayEngine  # noqa: E402

HEAD, OTHER, SPARE = ({"num_cpus": 1, "node_ip_address": f"127.0.0.{host}"} for host in (2, 3, 4))
"""Hosts of a cluster, on loopback. Ray takes 127.0.0.1 for this host's outer address."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head and another node, a processor each."""
    # A short path, since that of a socket has at most 107 characters; Ray would leave logs in /tmp/ray.
    with tempfile.TemporaryDirectory(prefix="ray-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        cluster = Cluster(initialize_head=True, head_node_args={**HEAD, "include_dashboard": False})
        ray.init(cluster.address, _node_ip_address=HEAD["node_ip_address"], log_to_driver=False)
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


def test_two_nodes_train_a_network_as_one_process(cluster: Any) -> None:
    """On the nodes that the test before has left."""
    book, alone = Book(), Book()
    RayEngine(cluster.address, 2).run_together(
        exact_training, training_task(), 2, None, book.on_report, go_on
    )
    LocalEngine().run_together(exact_training, training_task(), 1, None, alone.on_report, go_on)
    (_, state), (_, alone_state) = book.facts[0], alone.facts[0]
    for name, value in state.items():
        torch.testing.assert_close(value, alone_state[name], rtol=1e-10, atol=1e-10)


def test_tasks_are_spread_and_a_refusal_comes_home(cluster: Any) -> None:
    done: dict[int, int] = {}
    engine = RayEngine(cluster.address, 2)
    assert engine.spread(square, [3, 1, 2], lambda *_: None, done.__setitem__, go_on) == [9, 1, 4]
    assert done == {0: 9, 1: 1, 2: 4}
    with pytest.raises(ValueError, match="-1 is below 0"):
        engine.spread(square, [-1], lambda *_: None, done.__setitem__, go_on)
