"""A simulated device against the fit: the truth is known, so a table can be judged by it."""

from pathlib import Path

import pytest

from profiler_agent.agent import AgentCore
from profiler_agent.measuring.lease import measure_lease
from profiler_agent.measuring.simulated_process import simulating_command
from profiler_agent.runtimes.simulated import SimulatedRuntime, noise_profile, segment_latencies_us
from search_server.latency.covers import cover_architectures
from search_server.latency.estimate.fit import fit_table
from search_server.latency.table import LatencyTable
from search_server.profiling.plan import MAX_PROFILE_LEASES, policy
from shared.architecture import anchor_architecture, uniform_architecture
from shared.protocol.device import Conditions
from shared.protocol.measurement import Lease, LeaseItem, Result
from shared.search_space import search_space

SPACE = search_space("fbnet-cifar")
SIMULATED = Conditions("simulated")
ANCHOR = LeaseItem("anchor", anchor_architecture(SPACE).workload(), is_anchor=True)
COVERS = tuple(
    LeaseItem(f"cover{index}", cover.workload(), profile_segments=True)
    for index, cover in enumerate(cover_architectures(SPACE, 0))
)


def lease(index: int, conditions: Conditions = SIMULATED) -> Lease:
    return Lease(
        f"lease{index}", 1, "here", (ANCHOR, *COVERS), conditions, policy(index, conditions), ttl_s=60
    )


def results(device: str, index: int) -> list[Result]:
    return list(measure_lease(lease(index), SimulatedRuntime(device), {}, lambda _: None))


def profiled(device: str, num_leases: int = MAX_PROFILE_LEASES) -> LatencyTable:
    measured = [result for index in range(num_leases) for result in results(device, index)]
    covers = {item.item_id: item.network for item in COVERS}
    return fit_table(SPACE.name, "here", SIMULATED, covers, "anchor", measured, "2026-01-01T00:00:00Z")


def true_units(device: str) -> dict[str, float]:
    profile = noise_profile(device)
    anchor_us = sum(segment_latencies_us(profile, ANCHOR).values())
    truth = {}
    for item in COVERS:
        keys = dict(
            zip(
                (segment.name for segment in item.network.segments),
                item.network.segment_keys(),
                strict=True,
            )
        )
        for name, us in segment_latencies_us(profile, item).items():
            truth[keys[name]] = us / anchor_us
    return truth


def test_a_quiet_device_gives_its_true_table() -> None:
    table = profiled("titan_rtx_64")
    assert table.is_simulated
    assert table.conditions.runtime_version == "titan_rtx_64"
    assert table.verdict is not None
    assert table.verdict.is_accepted, table.verdict.reasons
    truth = true_units("titan_rtx_64")
    for key, units in truth.items():  # a mean entry is 0.04
        assert table.entries[key].latency_units == pytest.approx(units, rel=0.02, abs=0.001)
    for cover in COVERS:
        keys = [key for key in cover.network.segment_keys() if key in truth]
        predicted = sum(table.entries[key].latency_units for key in keys)
        assert predicted == pytest.approx(sum(truth[key] for key in keys), rel=0.01)


@pytest.mark.parametrize("device", ["essential_ph_1", "pixel2"])
def test_a_noisy_device_with_a_coarse_timer_is_refused(device: str) -> None:
    verdict = profiled(device).verdict
    assert verdict is not None
    assert not verdict.is_accepted
    assert "would differ between two such tables" in " ".join(verdict.reasons)


def test_windows_pass_in_virtual_time_and_repeat_by_seed() -> None:
    first, again, other = (results("samsung_s7", index) for index in (0, 0, 1))
    assert [(r.runs.wall_us, r.nodes) for r in first] == [(r.runs.wall_us, r.nodes) for r in again]
    assert first[0].runs.wall_us != other[0].runs.wall_us
    assert all(result.is_simulated and 5 <= result.device_s < 12 for result in first)
    assert all(us % 1000 == 0 for us in first[0].runs.wall_us)


def test_the_level_is_that_of_the_profile() -> None:
    item = LeaseItem("net", uniform_architecture(SPACE, "k3_e3").workload())
    profile = noise_profile("silver_4210r")
    assert sum(segment_latencies_us(profile, item).values()) == pytest.approx(31_629, rel=1e-3)


def test_an_agent_that_simulates_does_nothing_else(tmp_path: Path) -> None:
    core = AgentCore(tmp_path, command=simulating_command("silver_4210r"))
    answers = list(core.run(lease(0)))
    told = {(answer.status, answer.is_simulated, answer.runtime_version) for answer in answers}
    assert told == {("ok", True, "silver_4210r")}
    real = [LeaseItem("net", ANCHOR.network)]
    refused = list(
        core.run(Lease("real", 1, "here", tuple(real), Conditions("torch"), policy(0, SIMULATED), 60))
    )
    assert [(r.status, "only simulates" in (r.reason or "")) for r in refused] == [("unsupported", True)]
