"""One search, then networks for other targets and devices: decoded, trained if asked, kept as searches."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from search_server.client.front_view import front_grid, latency_on
from search_server.client.search_view import kind_words, print_search
from search_server.db.session import Database
from search_server.errors import ConflictError
from search_server.jobs.registry import Submission, find_job
from search_server.latency.stored.imports import import_table
from search_server.latency.table import LatencyTable
from search_server.resources.fronts import FrontCreate, RetargetCreate
from search_server.resources.searches import Search
from search_server.searches.decoding_again import submit_front, submit_retarget
from search_server.searches.pipeline import run_search_job
from search_server.searches.searches import search_resource
from search_server.store import Store
from tests.flow.shelf import FEW, NOW, SPACE, request, run, submit
from tests.search_server.tables import known_table


def other_table() -> LatencyTable:
    """A device on which slow segments are slower still."""
    table = known_table("", SPACE.name, slowdown=2.0)
    entries = {
        key: replace(entry, latency_units=4 * entry.latency_units**1.4)
        for key, entry in table.entries.items()
    }
    return replace(table, entries=entries)


@pytest.fixture
def searched(shelf: Database, tmp_path: Path) -> Search:
    """A finished search for the first device; the second one's table comes after it."""
    search = run(shelf, tmp_path, request(**{**FEW, "compare_baselines": False}))
    with shelf.transaction() as session:
        import_table(session, other_table().to_json().encode(), "json", "rack", None, NOW)
    return search


def finished(database: Database, folder: Path, job_id: str) -> Search:
    run_search_job(job_id, database.transaction, Store.at(folder), lambda: False, accelerator="cpu")
    with database.transaction() as session:
        return search_resource(session, find_job(session, job_id, "search"), NOW)


def test_a_front_has_a_network_for_each_target_on_each_device(
    shelf: Database, tmp_path: Path, searched: Search
) -> None:
    with shelf.transaction() as session:
        job = submit_front(session, searched.job.job_id, FrontCreate(points=5), Submission(None), NOW)
        job_id = job.job_id
    front = finished(shelf, tmp_path, job_id)
    assert front.job.status == "done", front.job.message
    assert front.result is None
    assert kind_words(front.request) == f"front of {searched.job.job_id}"
    ranges = {
        "shelf": known_table("", SPACE.name).latency_range_us(),
        "rack": other_table().latency_range_us(),
    }
    points: dict[str, list[tuple[float, float, float]]] = {"shelf": [], "rack": []}
    for network in front.architectures:
        assert network.test_accuracy is None
        assert network.estimated_nats is not None
        for point in network.decoded_for:
            predicted_us, measured_us = latency_on(point.device, network)
            assert measured_us is None  # neither device has an agent
            points[point.device].append((point.target_us, predicted_us, network.estimated_nats))
    for device, found in points.items():
        found.sort()
        fastest_us, slowest_us = ranges[device]
        assert len(found) == 5
        assert fastest_us < found[0][0] < found[-1][0] <= slowest_us * 1.05
        for target_us, predicted_us, _ in found:
            assert 0.97 * target_us <= predicted_us <= target_us * (1 + 1e-9)
    grid = front_grid(front)
    assert grid.row_count == 10
    print_search(front)


def test_networks_of_a_front_are_trained_from_the_supernet_if_asked(
    shelf: Database, tmp_path: Path, searched: Search
) -> None:
    create = FrontCreate(("rack",), 2, "inherit", 1)
    with shelf.transaction() as session:
        job_id = submit_front(session, searched.job.job_id, create, Submission(None), NOW).job_id
    front = finished(shelf, tmp_path, job_id)
    assert front.job.device_name == "rack"
    assert all(network.test_accuracy is not None for network in front.architectures if network.decoded_for)


def test_a_search_is_retargeted_to_a_device_whose_table_came_later(
    shelf: Database, tmp_path: Path, searched: Search
) -> None:
    fastest_us, slowest_us = other_table().latency_range_us()
    target_ms = (fastest_us + slowest_us) / 2000
    with shelf.transaction() as session:
        create = RetargetCreate(target_ms, "rack", training="scratch", train_epochs=1)
        job_id = submit_retarget(session, searched.job.job_id, create, Submission(None), NOW).job_id
    search = finished(shelf, tmp_path, job_id)
    assert search.job.device_name == "rack"
    assert kind_words(search.request) == f"retarget of {searched.job.job_id}"
    assert search.result is not None
    assert 970 * target_ms <= search.result.predicted_us <= 1000 * target_ms * (1 + 1e-9)
    assert search.result.test_accuracy is not None
    assert search.result.files
    # From a search that was decoded itself the way leads to the one that has learnt.
    with shelf.transaction() as session:
        again = submit_retarget(session, job_id, RetargetCreate(target_ms, "rack"), Submission(None), NOW)
        assert again.request["origin"] == searched.job.job_id
        assert again.request["device"] == "rack"


def test_a_search_that_is_not_done_is_no_origin(shelf: Database) -> None:
    job_id = submit(shelf, request(**FEW))
    with (
        shelf.transaction() as session,
        pytest.raises(ConflictError, match="is queued; networks are decoded"),
    ):
        submit_front(session, job_id, FrontCreate(), Submission(None), NOW)


def test_the_largest_network_has_a_front_too(shelf: Database, tmp_path: Path) -> None:
    """Without a supernet it is the front of compute.

    Each network uses its target nearly in full, so one for a little more may have a little less.
    """
    create = request(**{**FEW, "paths": "none", "train_epochs": 0, "compare_baselines": False})
    search = run(shelf, tmp_path, create)
    with shelf.transaction() as session:
        front = submit_front(session, search.job.job_id, FrontCreate(points=6), Submission(None), NOW)
        job_id = front.job_id
    networks = [each for each in finished(shelf, tmp_path, job_id).architectures if each.decoded_for]
    networks.sort(key=lambda network: network.decoded_for[0].target_us)
    macs = [network.macs for network in networks]
    assert macs[0] == min(macs)
    assert macs[-1] == max(macs)
    assert all(0.9 * before < after for before, after in itertools.pairwise(macs))
    assert len(networks) == 6
    with shelf.transaction() as session, pytest.raises(ConflictError, match="trained no supernet"):
        submit_front(session, search.job.job_id, FrontCreate(training="inherit"), Submission(None), NOW)
