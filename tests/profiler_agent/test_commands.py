"""The command line, against a real socket where it dials one."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from typer.testing import CliRunner

from profiler_agent.__main__ import app
from profiler_agent.carriers.credentials import Credentials, load_credentials, save_credentials
from profiler_agent.runtimes import available_runtimes
from profiler_agent.selftest.measure import MODEL_FORMATS, NETWORK, model_name
from search_server.model_files.model_file import model_file
from shared.architecture import parse_architecture
from shared.protocol.device import Conditions
from shared.runtimes import RUNTIMES
from tests.profiler_agent.tiny_server import ENROLMENT_TOKEN, TOKEN, TinyServer

cli = CliRunner()


@pytest.fixture
def server_url() -> Iterator[str]:
    config = uvicorn.Config(TinyServer().app, port=0, log_level="error", lifespan="off")
    listener = config.bind_socket()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


def test_enrols_once(server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGENAS_ENROLMENT_TOKEN", ENROLMENT_TOKEN)
    enrol = ["enrol", server_url + "/", "--data", str(tmp_path)]
    first = cli.invoke(app, enrol)
    assert first.exit_code == 0, first.output
    assert load_credentials(tmp_path) == Credentials(server_url, "phone", TOKEN)
    assert TOKEN not in first.output

    monkeypatch.delenv("EDGENAS_ENROLMENT_TOKEN")
    again = cli.invoke(app, enrol)
    assert again.exit_code == 0
    assert f"already enrolled at {server_url} as phone" in again.output
    elsewhere = cli.invoke(app, ["enrol", "http://elsewhere", "--data", str(tmp_path)])
    assert elsewhere.exit_code == 1
    assert "--replace" in elsewhere.output


@pytest.mark.parametrize("flags", [["http://x:70000"], ["http://x", "--agent-url", "http://x:70000"]])
def test_a_port_that_no_server_can_have_is_told_in_one_line(flags: list[str], tmp_path: Path) -> None:
    told = cli.invoke(
        app, ["enrol", *flags, "--token-file", "-", "--data", str(tmp_path)], input="edg_enrol"
    )
    assert told.exit_code == 2
    assert "port 70000 lies outside 1..65535" in told.output
    assert len(told.output.splitlines()) == 1


def test_enrols_with_a_token_from_a_file_or_standard_input(server_url: str, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(ENROLMENT_TOKEN + "\n")
    for number, (source, text) in enumerate([(str(token_file), None), ("-", ENROLMENT_TOKEN)]):
        data = ["--data", str(tmp_path / str(number))]
        result = cli.invoke(app, ["enrol", server_url, "--token-file", source, *data], input=text)
        assert result.exit_code == 0, result.output


def test_a_refused_enrolment_stores_nothing(server_url: str, tmp_path: Path) -> None:
    result = cli.invoke(
        app, ["enrol", server_url, "--token-file", "-", "--data", str(tmp_path)], input="edg_enrol_2_wrong"
    )
    assert result.exit_code == 1
    assert "the tiny server says 401" in result.output
    assert load_credentials(tmp_path) == Credentials()


def test_a_simulated_device_says_so(tmp_path: Path) -> None:
    flags = ["--runtime", "simulated", "--simulated-device", "samsung_s7", "--data", str(tmp_path)]
    facts = json.loads(cli.invoke(app, ["info", "--json", *flags]).stdout)
    assert (facts["name"], facts["cpu_model"]) == ("simulated-samsung_s7", "simulated samsung_s7")
    assert [(one["name"], one["version"]) for one in facts["runtimes"]] == [("simulated", "samsung_s7")]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["enrol", "http://127.0.0.1:1"], 2, "EDGENAS_ENROLMENT_TOKEN"),
        (["enrol", "nas", "--token-file", "-"], 2, "http"),
        (["run", "--server", "http://127.0.0.1:1"], 1, "profiler-agent enrol http://127.0.0.1:1"),
        (["run", "--listen", "nowhere"], 2, "HOST:PORT"),
        (["run", "--cores", "a"], 2, "cores"),
        (["info", "--runtime", "abacus"], 2, "abacus"),
        (["info", "--runtime", "simulated", "--simulated-device", "pixel9"], 2, "these can: titan_rtx_64"),
        (["info", "--simulated-device", "pixel2"], 2, "--runtime simulated only"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, arguments: list[str], status: int, words: str) -> None:
    result = cli.invoke(app, [*arguments, "--data", str(tmp_path)], input="token")
    assert result.exit_code == status, result.output
    assert words in result.output


def test_run_ends_when_its_token_was_revoked(server_url: str, tmp_path: Path) -> None:
    save_credentials(tmp_path, Credentials(server_url, "phone", "edg_device_2_revoked"))
    result = cli.invoke(app, ["run", "--data", str(tmp_path)])
    assert result.exit_code == 78
    assert "refuses this device's token" in result.output
    unit = Path("search_server/install/edgenas-agent.service").read_text()
    assert (
        "\nRestartPreventExitStatus=78\n" in unit
    )  # else systemd asks the server every ten seconds, for ever


def test_info_for_people_and_programs(tmp_path: Path) -> None:
    save_credentials(tmp_path, Credentials("http://nas", "phone", TOKEN))
    people = cli.invoke(app, ["info", "--data", str(tmp_path), "--name", "kitchen"])
    assert "cannot tell" in people.output
    assert TOKEN not in people.output
    document = json.loads(cli.invoke(app, ["info", "--json", "--data", str(tmp_path)]).stdout)
    assert document["num_cores"] >= 1
    assert document["device_id"] == "phone"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_selftest_measures_each_runtime(runtime: str, tmp_path: Path) -> None:
    if runtime not in {each.name for each in available_runtimes()}:
        pytest.skip(f"{runtime} is not installed")
    arguments = ["selftest", "--seconds", "0.2", "--runtime", runtime, "--data", str(tmp_path)]
    result = cli.invoke(app, [*arguments, "--json"])
    (report,) = json.loads(result.stdout)
    assert report["status"] in ("ok", "unstable"), report[
        "advice"
    ]  # a busy machine is no fault of the runtime
    assert report["wall_us"]["num_samples"] >= 3
    assert result.exit_code == (0 if report["is_usable"] else 1)


@pytest.mark.parametrize("runtime", MODEL_FORMATS)
def test_the_models_of_the_selftest_are_those_that_a_server_writes(runtime: str) -> None:
    model = model_file(parse_architecture(NETWORK).workload(), Conditions(runtime))
    assert model is not None
    shipped = (files("profiler_agent.selftest") / model_name(runtime)).read_bytes()
    assert MODEL_FORMATS[runtime] == model.format
    assert gzip.decompress(shipped) == model.content, "write them anew: python -m scripts.selftest_models"


def on_core(core: int, *arguments: str) -> Any:
    """Return the JSON that the command prints when the system lets it run on one core only."""
    program = (
        f"import os; os.sched_setaffinity(0, {{{core}}}); from profiler_agent.__main__ import main; main()"
    )
    command = [sys.executable, "-c", program, *arguments, "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no CPU affinity")
def test_two_threads_on_one_core_are_not_measured(tmp_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    data = ["--data", str(tmp_path), "--runtime", "onnxruntime"]
    assert on_core(core, "info", *data)["allowed_cores"] == [core]
    (report,) = on_core(core, "selftest", "--threads", "2", "--seconds", "0.2", *data)
    assert report["status"] == "unsupported"
    assert (
        f"2 threads need as many cores, and the lease would run on 1 (core {core})" in report["advice"][0]
    )


def test_the_device_has_the_cores_that_its_owner_lends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 6, 7}, raising=False)
    info = ["info", "--json", "--data", str(tmp_path)]
    assert json.loads(cli.invoke(app, info).stdout)["allowed_cores"] == [4, 6, 7]
    monkeypatch.setenv("EDGENAS_AGENT_CORES", "6")
    assert json.loads(cli.invoke(app, info).stdout)["allowed_cores"] == [6]
    monkeypatch.setenv("EDGENAS_AGENT_CORES", "0,6")
    refused = cli.invoke(app, info)
    assert refused.exit_code == 2
    assert (
        "--cores 0,6 are not all among those that the system allows this program, 4,6,7" in refused.output
    )


@pytest.mark.parametrize("command", ["run", "info", "selftest", "enrol"])
def test_help_teaches_with_an_example(command: str) -> None:
    assert "Example" in cli.invoke(app, [command, "--help"]).output
