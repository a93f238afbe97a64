"""Which network a search delivers, of trained networks made up by hand. The target is 1 ms."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.demo import delivered_words
from search_server.client.search_view import print_search
from search_server.db.session import Database
from search_server.jobs.registry import Submission, find_job, finish_job
from search_server.latency.stored.imports import import_table
from search_server.resources.found_networks import FoundArchitecture, Role
from search_server.resources.searches import SearchCreate
from search_server.searches.chosen import chosen_network
from search_server.searches.recording import record_architecture
from search_server.searches.search_job import SearchJob, open_search_job
from search_server.searches.searches import search_resource, submit_search
from search_server.store import Store
from shared.protocol.wire import to_dict
from tests.search_server.tables import known_table

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def job(database: Database, tmp_path: Path) -> SearchJob:
    content = known_table("").to_json().encode()
    with database.transaction() as session:
        import_table(session, content, "json", "shelf", None, NOW)
        low_us, high_us = known_table("").latency_range_us()
        assert low_us < 1000 < high_us
        create = SearchCreate("shelf", "fbnet-tiny", "digits", target_ms=1.0)
        job_id = submit_search(session, create, Submission(None), NOW).job_id
    return open_search_job(job_id, database.transaction, Store.at(tmp_path), lambda: False)


def trained(role: Role, us: float, validation: float, test: float = 0.5) -> FoundArchitecture:
    return FoundArchitecture(role, f"{role}-{us:g}", 10, 20, us, None, validation, test)


FOUND = (trained("found", 980, 0.91), trained("found", 990, 0.93))
OTHERS = (trained("uniform", 990, 0.99), trained("random", 990, 0.98))


@pytest.mark.parametrize(
    ("largest", "is_delivered"),
    [
        (
            trained("most_macs", 990, 0.94, test=0.1),
            True,
        ),  # the validation split chooses, not the test split
        (trained("most_macs", 990, 0.92, test=0.9), False),
        (trained("most_macs", 990, 0.93), False),  # as good as the found one
        (trained("most_macs", 700, 0.94), True),  # faster than asked for
        (trained("most_macs", 1010, 0.94), False),  # above the target, and the found ones are not
    ],
)
def test_the_best_on_validation_of_found_and_largest_is_delivered(
    job: SearchJob, largest: FoundArchitecture, is_delivered: bool
) -> None:
    """Uniform and random networks are compared, never delivered."""
    assert chosen_network(job, [*FOUND, *OTHERS, largest]) == (largest if is_delivered else FOUND[1])


def test_above_the_target_the_largest_is_taken_if_a_found_one_is_farther_above(job: SearchJob) -> None:
    above = [replace(network, predicted_us=1020.0) for network in FOUND]
    largest = trained("most_macs", 1010, 0.94)
    assert chosen_network(job, [*above, *OTHERS, largest]) == largest
    assert chosen_network(job, [*above, *OTHERS, replace(largest, predicted_us=1030.0)]) == above[1]


def test_without_limits_there_is_no_largest_network_within_them(job: SearchJob) -> None:
    """The paper's search delivers what it has found."""
    request = replace(job.request, preset="fbnet-paper", loss="fbnet")
    largest = trained("most_macs", 990, 0.99)
    assert chosen_network(replace(job, request=request), [*FOUND, *OTHERS, largest]) == FOUND[1]


@pytest.mark.parametrize("is_largest", [True, False])
def test_the_search_shows_which_network_it_delivers_and_where_it_comes_from(
    job: SearchJob, is_largest: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    largest = trained("most_macs", 990, 0.94 if is_largest else 0.92)
    networks = [*FOUND, *OTHERS, largest]
    with job.transaction() as session:
        for network in networks:
            record_architecture(session, job.job_id, network)
        finish_job(session, job.job_id, NOW, result=to_dict(chosen_network(job, networks)))
        search = search_resource(session, find_job(session, job.job_id, "search"), NOW)
    assert search.found == FOUND[1]
    assert search.result is not None
    assert ("which the table alone gave" in delivered_words(search, search.result)) == is_largest
    print_search(search)
    printed = capsys.readouterr().out
    rows = [line.strip().split("  ")[0] for line in printed.splitlines() if " 10 " in line]
    words = " ".join(printed.split())
    if is_largest:
        assert rows == ["sampled", "found", "uniform", "random", "● most MACs"]
        assert "delivered most_macs-990 (most MACs within the limits, by the table alone;" in words
        assert "● is delivered" in words
    else:
        assert rows == ["sampled", "● found", "uniform", "random", "most MACs"]
        assert "found found-990" in words
        assert "by the table alone" not in words
