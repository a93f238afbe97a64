"""A device without an agent: networks are chosen by prediction, and nothing claims to be measured."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from search_server.client.search_view import print_search
from search_server.db.migrate import migrate_to_head
from search_server.db.models import JobRow
from search_server.db.session import Database
from search_server.jobs.registry import Submission
from search_server.latency.stored.imports import import_table
from search_server.resources.searches import SearchCreate
from search_server.searches.search_job import SearchJob, open_search_job
from search_server.searches.searches import search_architectures, search_resource, submit_search
from search_server.searches.verification import measure_networks
from search_server.store import Store
from shared.architecture import Architecture, uniform_architecture
from tests.search_server.tables import known_table

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def job(tmp_path: Path) -> Iterator[SearchJob]:
    """A search on a device that only an imported table speaks of."""
    database = Database(f"sqlite:///{tmp_path / 'edgenas.db'}")
    migrate_to_head(database.engine)
    content = known_table("").to_json().encode()
    with database.transaction() as session:
        table = import_table(session, content, "json", "shelf", None, NOW)
        target_ms = table.summary.anchor_us / 1000
        create = SearchCreate("shelf", "fbnet-tiny", "digits", target_ms=target_ms)
        job_id = submit_search(session, create, Submission(None), NOW).job_id
    yield open_search_job(job_id, database.transaction, Store.at(tmp_path), lambda: False)
    database.close()


def test_networks_keep_their_predictions(job: SearchJob, capsys: pytest.CaptureFixture[str]) -> None:
    network = uniform_architecture(job.space, "k3_e3")
    (found,) = measure_networks(job, [("found", network)], 0.5)
    assert found.measured_us is None
    assert found.predicted_us == pytest.approx(job.predict_us(network))
    with job.transaction() as session:
        assert search_architectures(session, job.job_id) == (found,)
        kinds = {row.kind for row in session.query(JobRow)}
        search = search_resource(session, session.get_one(JobRow, job.job_id), NOW)
    assert kinds == {"search"}
    print_search(search)
    row = next(line for line in capsys.readouterr().out.splitlines() if "sampled" in line)
    assert row.split()[-3:] == ["-", "-", "-"], "measured, validation, test"


def test_the_outcome_says_that_nothing_was_measured(job: SearchJob) -> None:
    pipeline = pytest.importorskip("search_server.searches.pipeline")
    (found,) = measure_networks(job, [("found", uniform_architecture(job.space, "k3_e3"))], 0.5)
    assert pipeline.outcome(job, found).startswith("not measured, since the device has no agent, predicted")
    assert "warning" not in pipeline.outcome(job, found)


def test_the_outcome_says_where_the_table_alone_gave_what_is_delivered(job: SearchJob) -> None:
    pipeline = pytest.importorskip("search_server.searches.pipeline")
    network = uniform_architecture(job.space, "k3_e3")
    found, largest = measure_networks(job, [("found", network), ("most_macs", network)], 0.5)
    assert "the latency table alone gave this network" in pipeline.outcome(job, largest)
    assert "table alone" not in pipeline.outcome(job, found)


def test_the_outcome_warns_where_latency_alone_decided(job: SearchJob) -> None:
    pipeline = pytest.importorskip("search_server.searches.pipeline")
    layers = job.devices[0].table.latency_us_LK()
    blocks = tuple(job.space.candidates[list(row).index(min(row))] for row in layers)
    networks = (uniform_architecture(job.space, "skip"), Architecture(job.space, blocks))
    skipping, fastest = (measure_networks(job, [("found", each)], 0.5)[0] for each in networks)
    assert "warning: the found network skips every layer" in pipeline.outcome(job, skipping)
    assert "warning: the found network is the fastest of the space" in pipeline.outcome(job, fastest)
