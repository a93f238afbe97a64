"""``edgenas`` against the real app: what it prints for people and programs, and its exit status."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from search_server.client import SearchClient
from search_server.latency.table import LatencyTable
from tests.client.conftest import Edgenas
from tests.client.served import SPACE, Served, compared, search_steps, table
from tests.client.tiny_device import tiny_device

ON_SIMULATED = ("--runtime", "simulated")


def _bench(served: Served) -> str:
    """Enrol a device with a table; return the table's snapshot."""
    return served.store(table(served.enrol().device_id))


def test_devices(served: Served, edgenas: Edgenas) -> None:
    empty = edgenas("devices", "list")
    assert (empty.exit_code, empty.stdout) == (0, "")
    line = f"curl -fsS {served.url}/install/agent.sh | sh"
    assert line in empty.stderr
    assert line in edgenas("devices", "add").stdout
    assert json.loads(edgenas("devices", "add", "--json").stdout)["command"] == line
    served.enrol()
    assert "simulated 1, onnxruntime 1.32.0" in edgenas("devices", "list").stdout
    assert json.loads(edgenas("devices", "list", "--json").stdout)[0]["name"] == "bench"
    assert "battery_percent" in edgenas("devices", "show", "bench").stdout
    for answer in ("n\n", ""):
        kept = edgenas("devices", "remove", "bench", input_text=answer)
        assert kept.exit_code == 1
        assert "nothing was removed; --yes removes" in kept.stderr
    assert edgenas("devices", "remove", "bench", "--yes").exit_code == 0
    assert json.loads(edgenas("devices", "list", "--json").stdout) == []


def test_tags(served: Served, edgenas: Edgenas) -> None:
    for name in ("bench", "desk"):
        served.enrol(name)
    changed = edgenas("devices", "tag", "bench", "+kitchen", "+arm", "-old")
    assert (changed.exit_code, changed.stderr) == (0, "device bench has the tags: arm kitchen\n")
    listed = json.loads(edgenas("devices", "list", "--tag", "kitchen", "--json").stdout)
    assert [device["name"] for device in listed] == ["bench"]
    assert json.loads(edgenas("devices", "tag", "bench", "-arm", "--json").stdout)["tags"] == ["kitchen"]
    none = edgenas("devices", "list", "--tag", "cellar")
    assert (none.exit_code, none.stdout) == (0, "")
    assert "no device carries the tag cellar" in none.stderr
    assert "such as +kitchen" in edgenas("devices", "tag", "bench", "kitchen").stderr
    assert edgenas("devices", "tag", "bench", "kitchen").exit_code == 2


def test_errands(served: Served, edgenas: Edgenas) -> None:
    for name in ("bench", "desk"):
        served.enrol(name)
        edgenas("devices", "tag", name, "+kitchen")
    asked = edgenas("devices", "rotate", "--tag", "kitchen")
    assert asked.exit_code == 0, asked.stderr
    assert asked.stderr.count("renews its credential when it next calls") == 2
    refused = edgenas("devices", "upgrade", "bench")
    assert refused.exit_code == 1
    assert "takes no upgrade from the server" in refused.stderr
    assert edgenas("devices", "rotate").exit_code == 2


def test_tables(served: Served, edgenas: Edgenas, tmp_path: Path) -> None:
    snapshot = _bench(served)
    other = served.store(table(served.enrol("desk").device_id, scale=2.0))
    listed = edgenas("tables", "list", "-d", "bench", "--json")
    assert [summary["snapshot"] for summary in json.loads(listed.stdout)] == [snapshot]
    assert "(simulated)" in edgenas("tables", "list").stdout
    shown = edgenas("tables", "show", snapshot).stdout
    assert "accepted: a network that was not measured is predicted to 1.1 %" in shown
    assert "layer13" in shown
    assert "simulated" in shown.split("origin")[1].splitlines()[0]
    assert (
        json.loads(edgenas("tables", "show", snapshot, "--json").stdout)["summary"]["snapshot"] == snapshot
    )
    differing = edgenas("tables", "diff", snapshot, other).stdout
    assert "2.000 (median of the cells)" in differing
    assert "0 of 36 pairs change order" in differing  # of nine networks of one block each
    named = json.loads(edgenas("tables", "networks", snapshot, "--json").stdout)
    assert [each["name"] for each in named] == list(SPACE.candidates)
    assert "90 % interval" in edgenas("tables", "networks", snapshot).stdout
    csv = edgenas("tables", "export", snapshot).stdout
    assert csv.startswith("snapshot,device,space")
    path = tmp_path / "table.json"
    assert edgenas("tables", "export", snapshot, "--format", "json", "-o", str(path)).exit_code == 0
    assert LatencyTable.from_json(path.read_bytes()).snapshot == snapshot
    imported = edgenas("tables", "import", str(path), "--format", "json", "-d", "shelf", "--json")
    assert json.loads(imported.stdout)["summary"]["device_name"] == "shelf"


def test_predict(served: Served, edgenas: Edgenas) -> None:
    snapshot = _bench(served)
    asked = ("predict", "-d", "bench", "-s", "fbnet-tiny", *ON_SIMULATED, "k5_e6", "k3_e1")
    large, small = json.loads(edgenas(*asked, "--json").stdout)
    assert large["name"] == "k5_e6"
    assert small["low_ms"] < small["latency_ms"] < small["high_ms"] < large["latency_ms"]
    assert (small["snapshot"], small["is_simulated"]) == (snapshot, True)
    people = edgenas(*asked).stdout
    assert "predicted ms" in people
    assert "simulated" in people


def test_profile_and_measure_follow_the_device(served: Served, edgenas: Edgenas) -> None:
    with tiny_device(served.url, served.enrol().token):
        profiled = edgenas("profile", "-d", "bench", "-s", "fbnet-tiny", *ON_SIMULATED, "--json")
        assert profiled.exit_code == 0, profiled.stderr
        answer = json.loads(profiled.stdout)
        assert answer["verdict"]["is_accepted"]
        again = edgenas("profile", "-d", "bench", "-s", "fbnet-tiny", *ON_SIMULATED)
        assert "already there, nothing measured" in again.stdout
        assert f"edgenas tables show {answer['snapshot']}" in again.stderr
        cell = edgenas("samples", "cell", answer["snapshot"], "stem")
        assert cell.exit_code == 0, cell.stderr
        assert "runs under the profiler" in cell.stdout
        asked = ("-d", "bench", "-s", "fbnet-tiny", *ON_SIMULATED, "k3_e6", "k3_e1")
        measured = json.loads(edgenas("measure", *asked, "--json").stdout)
        predicted = json.loads(edgenas("predict", *asked, "--json").stdout)
        people = edgenas("measure", *asked).stdout
        checked = edgenas("tables", "check", answer["snapshot"])
        listed = edgenas("tables", "list", "--history").stdout
    assert [one["name"] for one in measured] == ["k3_e6", "k3_e1"]
    for one, other in zip(measured, predicted, strict=True):
        assert one["latency_ms"] == pytest.approx(other["latency_ms"], rel=0.02)
        assert one["predicted_ms"] == pytest.approx(other["latency_ms"])
        assert one["is_inside"]
    assert "measured ms" in people
    assert "predicted ms" in people
    assert "unchanged" in checked.stdout
    assert "level +0.0 %" in checked.stderr
    assert "profiled" in listed


def test_an_old_table_is_checked_before_it_is_used_again(served: Served, edgenas: Edgenas) -> None:
    credential = served.enrol()
    with tiny_device(served.url, credential.token):
        asked = ("profile", "-d", "bench", "-s", "fbnet-tiny", *ON_SIMULATED)
        snapshot = json.loads(edgenas(*asked, "--json").stdout)["snapshot"]
        with served.client() as client:
            exported = LatencyTable.from_json(client.export_table(snapshot, "json"))
        level_us, long_ago = 2 * exported.anchor_us, "2026-01-01T00:00:00+00:00"
        old = replace(exported, anchor_us=level_us, network_sigma=0.03, created_at=long_ago)
        old_snapshot = served.store(old)
        rescaled = edgenas(*asked)
        refused = edgenas("tables", "recalibrate", old_snapshot)
        shown = edgenas("tables", "show", json.loads(edgenas(*asked, "--json").stdout)["snapshot"]).stdout
    assert "already there, checked: level -50.0 %, structure" in rescaled.stdout
    assert f"rescaled from {old_snapshot}" in rescaled.stdout
    assert refused.exit_code == 1
    assert "is not in use" in refused.stderr
    assert "level -50.0 %" in next(line for line in shown.splitlines() if "rescaled" in line)
    assert old_snapshot in next(line for line in shown.splitlines() if "profiled" in line)


def test_search_from_submission_to_export(served: Served, edgenas: Edgenas, tmp_path: Path) -> None:
    _bench(served)
    job_file = tmp_path / "job.toml"
    job_file.write_text('device = "bench"\nspace = "fbnet-tiny"\ndata = "digits"\ntarget_ms = 0.55\n')
    submitted = edgenas("search", "submit", "-f", str(job_file), *ON_SIMULATED, "--seed", "3")
    job_id = submitted.stdout.strip()
    assert f"edgenas search watch {job_id}" in submitted.stderr
    assert edgenas("search", "cancel", job_id).exit_code == 0
    assert edgenas("search", "watch", job_id).exit_code == 1
    assert "queued" in edgenas("search", "resume", job_id).stderr
    served.record(job_id, search_steps())
    served.finish(job_id, compared())
    watched = edgenas("search", "watch", job_id)
    assert watched.exit_code == 0
    assert "E[LAT] 0.5" in watched.stderr
    assert watched.stdout.count("● found") == 1
    assert "0.561 !" in next(line for line in watched.stdout.splitlines() if "sampled  " in line)
    assert json.loads(edgenas("search", "watch", job_id, "--json").stdout)["request"]["seed"] == 3
    assert json.loads(edgenas("search", "list", "--json").stdout)[0]["job"]["status"] == "done"
    assert job_id in edgenas("search", "list").stdout
    assert "88.1 %" in edgenas("search", "show", job_id).stdout
    found = edgenas("search", "export", job_id, "--format", "json")
    assert json.loads(found.stdout)["result"]["role"] == "found"
    assert edgenas("search", "export", job_id, "-o", str(tmp_path / "found.json")).exit_code == 0
    assert (tmp_path / "found.json").read_bytes() == found.stdout_bytes
    assert "format onnx is binary; name a file with -o" in edgenas("search", "export", job_id).stderr


def test_data(edgenas: Edgenas) -> None:
    assert "digits" in edgenas("data", "list").stdout
    assert json.loads(edgenas("data", "list", "--json").stdout)[0]["is_available"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "hint"),
    [
        (("devices", "show", "nobody"), 1, "no device 'nobody'"),
        (("profile", "-d", "bench", "-s", "nowhere"), 2, "fbnet-tiny"),
        (("profile", "-d", "bench", "-s", "fbnet-tiny", "--threads", "0"), 2, "threads must lie in"),
        (("predict", "-d", "bench", "-s", "fbnet-tiny", *ON_SIMULATED, "nope"), 2, "unknown architecture"),
        (("predict", "-d", "bench", "-s", "fbnet-tiny", "k3_e1"), 1, "profile"),
        (("search", "submit", "-d", "bench", "-s", "fbnet-tiny", "--data", "nowhere"), 2, "target_ms"),
        (("search", "show", "nothing"), 1, "no search job"),
    ],
)
def test_errors_are_one_line_with_the_next_step(
    served: Served, edgenas: Edgenas, arguments: tuple[str, ...], exit_code: int, hint: str
) -> None:
    _bench(served)
    answer = edgenas(*arguments)
    assert answer.exit_code == exit_code, answer.stderr
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: ")
    assert hint in answer.stderr


def test_token_comes_from_a_file_but_never_from_the_command_line(
    served: Served, edgenas: Edgenas, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(f"{served.token}\n")
    assert edgenas("devices", "list", "--token-file", str(path)).exit_code == 0
    assert edgenas("--token-file", str(path), "devices", "list").exit_code == 0
    assert edgenas("devices", "list", "--token", served.token).exit_code == 2
    path.write_text("")
    assert "is empty" in edgenas("devices", "list", "--token-file", str(path)).stderr


def test_server_can_be_named_before_or_behind_the_command(served: Served, edgenas: Edgenas) -> None:
    away = "http://127.0.0.1:9"
    assert edgenas("--server", away, "devices", "list").exit_code == 1
    assert edgenas("--server", away, "devices", "list", "--server", served.url).exit_code == 0
    with SearchClient(f"{served.url}/", served.token) as client:
        assert list(client.devices()) == []
