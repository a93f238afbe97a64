"""A search for two devices and with a limit on MACs, from the request to the exported network."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from search_server.client.search_view import print_search, step_line
from search_server.db.migrate import migrate_to_head
from search_server.db.session import Database
from search_server.errors import InvalidValueError
from search_server.jobs.registry import Submission, find_job
from search_server.latency.stored.imports import import_table
from search_server.nas.budget.caps import latency_cap, macs_cap
from search_server.nas.budget.latency_model import LatencyModel
from search_server.resources.found_networks import DeviceLatency, FoundArchitecture
from search_server.resources.searches import DeviceTarget, Search, SearchCreate
from search_server.searches.finalists import corrected_caps
from search_server.searches.pipeline import run_search_job
from search_server.searches.search_job import SearchJob, open_search_job
from search_server.searches.searches import search_resource, search_steps_after, submit_search
from search_server.searches.targets import corrections, is_on_target, loads, nearness
from search_server.searches.trackers import Trackers
from search_server.store import Store
from shared.architecture import uniform_architecture
from shared.search_space import search_space
from tests.search_server.tables import known_table

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SPACE = search_space("fbnet-tiny:width=0.25,resolution=16")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Two devices without agents; the second one is three times slower, and not equally so everywhere."""
    database = Database(f"sqlite:///{tmp_path / 'edgenas.db'}")
    migrate_to_head(database.engine)
    quick = known_table("", SPACE.name)
    factors = itertools.cycle((2.0, 3.0, 4.0))
    slow_entries = {
        key: replace(entry, latency_units=entry.latency_units * next(factors))
        for key, entry in sorted(quick.entries.items())
    }
    tables = {"quick": quick, "slow": replace(quick, entries=slow_entries)}
    with database.transaction() as session:
        for name, table in tables.items():
            import_table(session, table.to_json().encode(), "json", name, None, NOW)
    yield database
    database.close()


def request() -> SearchCreate:
    """Both devices at the middle of their range; MACs below what most such networks need."""
    targets_ms = []
    for name in ("quick", "slow"):
        table = known_table("", SPACE.name)
        low_us, high_us = table.latency_range_us()
        targets_ms.append((low_us + high_us) / 2000 * (1 if name == "quick" else 3))
    return SearchCreate(
        "quick",
        SPACE.name,
        "digits",
        target_ms=targets_ms[0],
        epochs=2,
        warmup_epochs=1,
        train_epochs=1,
        num_samples=2,
        compare_baselines=False,
        also=(DeviceTarget("slow", targets_ms[1]),),
        max_macs=round(0.6 * macs_cap(SPACE, 1.0).most),
    )


def submit(database: Database, create: SearchCreate) -> str:
    with database.transaction() as session:
        return submit_search(session, create, Submission(None), NOW).job_id


def show(database: Database, job_id: str) -> Search:
    with database.transaction() as session:
        return search_resource(session, find_job(session, job_id, "search"), NOW)


def test_the_found_network_keeps_every_limit(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create = request()
    job_id = submit(database, create)
    run_search_job(job_id, database.transaction, Store.at(tmp_path), lambda: False)
    search = show(database, job_id)
    assert search.job.status == "done", search.job.message
    assert len(search.other_snapshots) == 1
    found = search.result
    assert found is not None
    assert create.max_macs is not None
    assert found.macs <= create.max_macs
    assert found.predicted_us <= 1000 * (create.target_ms or 0)
    (slow,) = found.others
    assert (slow.device, slow.measured_us) == ("slow", None)
    slow_target_ms = create.also[0].target_ms
    assert slow_target_ms is not None
    assert slow.predicted_us <= slow.target_us == pytest.approx(1000 * slow_target_ms)
    assert "on slow not measured, since the device has no agent" in search.job.message
    with database.transaction() as session:
        steps = search_steps_after(session, job_id, -1)
    assert [[cost.name for cost in step.costs] for step in steps] == [["quick", "slow", "MACs"]] * 2
    assert max(cost.expected / cost.limit for cost in steps[-1].costs) == pytest.approx(1, abs=1e-3)
    assert "slow " in step_line(steps[-1], 2)
    print_search(search)
    assert "slow ms" in capsys.readouterr().out


def test_event_files_hold_the_steps(database: Database, tmp_path: Path) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    create = replace(request(), also=(), max_macs=None)
    job_id = submit(database, create)
    trackers = Trackers(tmp_path / "events")
    run_search_job(job_id, database.transaction, Store.at(tmp_path), lambda: False, trackers)
    events = reading.EventAccumulator(str(tmp_path / "events" / job_id)).Reload()
    assert {"loss/weights", "accuracy", "latency/expected_ms", "theta/entropy"} <= set(
        events.Tags()["scalars"]
    )
    with database.transaction() as session:
        steps = search_steps_after(session, job_id, -1)
    seen = [(event.step, event.value) for event in events.Scalars("memory/peak_bytes")]
    assert seen == [(step.step, pytest.approx(step.peak_memory_bytes)) for step in steps]


def test_a_target_out_of_reach_on_the_second_device_names_it(database: Database) -> None:
    create = replace(request(), also=(DeviceTarget("slow", 1e3),))
    with pytest.raises(InvalidValueError, match=r"above the slowest network .* on device slow") as caught:
        submit(database, create)
    assert caught.value.errors[0].path == "body.also.0.target_ms"


@pytest.fixture
def job(database: Database, tmp_path: Path) -> SearchJob:
    job_id = submit(database, request())
    return open_search_job(job_id, database.transaction, Store.at(tmp_path), lambda: False)


def measured(job: SearchJob, quick: float, slow: float) -> FoundArchitecture:
    """A network that measures so much of its targets."""
    network = uniform_architecture(SPACE, "k3_e3")
    workload = network.workload()
    predicted_us = [device.predict_us(network) for device in job.devices]
    return FoundArchitecture(
        "found",
        str(network),
        workload.macs,
        workload.num_params,
        predicted_us[0],
        quick * job.targets_us[0],
        others=(DeviceLatency("slow", job.targets_us[1], predicted_us[1], slow * job.targets_us[1]),),
    )


def test_networks_on_target_come_first(job: SearchJob) -> None:
    below, on, nearly, above = (
        loads(job, measured(job, *pair)) for pair in ((0.9, 0.5), (0.5, 0.98), (0.96, 0.9), (0.5, 1.01))
    )
    share = measured(job, 1.0, 1.0).macs / (job.request.max_macs or 1)
    assert on == pytest.approx((0.5, 0.98, share))
    assert [is_on_target(each) for each in (below, on, nearly, above)] == [False, True, False, False]
    assert sorted((above, below, on, nearly), key=nearness) == [on, nearly, below, above]
    weighted = replace(job, request=replace(job.request, combine="weighted"))
    assert loads(weighted, measured(job, 0.9, 0.5)) == pytest.approx((0.7, share))


def test_limits_are_corrected_by_what_was_measured(job: SearchJob) -> None:
    """All networks measure a tenth slower than predicted on the first device, which has an agent."""
    assert corrections([(1.1, 0.9), (1.3, 0.8)], [(1.0, 1.0), (1.0, 1.0)]) == pytest.approx([1.2, 0.85])
    quick, slow = job.devices
    asked = replace(job, devices=(replace(quick, can_measure=True), slow))
    caps = []
    for device, target_us in zip(job.devices, job.targets_us, strict=True):
        latency = LatencyModel(device.table, SPACE.num_layers, len(SPACE.candidates))
        caps.append(latency_cap(device.name, latency, target_us))
    caps.append(macs_cap(SPACE, float(job.request.max_macs or 1)))
    predicted_us = job.predict_us(uniform_architecture(SPACE, "k3_e3"))
    network = measured(job, 1.1 * predicted_us / job.targets_us[0], 1.0)
    corrected = corrected_caps(asked, caps, [network])
    assert corrected is not None
    assert [cap.limit for cap in corrected] == pytest.approx(
        [job.targets_us[0] / 1.1, job.targets_us[1], job.request.max_macs]
    )
    hopeless = replace(network, measured_us=1e9)
    assert corrected_caps(asked, caps, [hopeless]) is None
