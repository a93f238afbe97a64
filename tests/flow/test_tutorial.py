"""The commands of the tutorial run as they stand, on a device whose times are simulated."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import onnxruntime
import pytest

from scripts.local_services import BIN, create_token, free_port, start, stop, user_token, wait_until_ready
from tests.markdown_code import code_blocks

pytestmark = pytest.mark.timeout(1200)  # each command and process starts anew, on whatever machine
SIMULATED = ("--runtime", "simulated")
MORE = {
    "profile": SIMULATED,
    "predict": SIMULATED,
    # The target of the page is one of a faster device; of two the last counts.
    "submit": (
        *SIMULATED,
        "--target-ms=3",
        "--epochs=2",
        "--warmup-epochs=1",
        "--train-epochs=1",
        "--num-samples=1",
    ),
}
"""What is added so that the test takes seconds; a user adds nothing."""


def commands_of_the_page() -> list[list[str]]:
    lines = [line for block in code_blocks("tutorial.md", "bash") for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("edgenas ")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the images that the page makes."""
    monkeypatch.chdir(tmp_path)
    (code,) = code_blocks("tutorial.md", "python")
    exec(code, {})  # it is our own page
    return tmp_path


def test_the_tutorial_ends_with_a_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {path.name for path in (folder / "shapes").iterdir()} == {"circle", "square", "triangle"}
    monkeypatch.setenv("EDGENAS_DATA_ROOTS", str(folder))  # as the page says, of server and worker
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    data = folder / ".edgenas"
    server = start("search-server", "serve", "--port", str(port), log=folder / "server.log")
    processes = [server]
    try:
        wait_until_ready(url, server)
        monkeypatch.setenv("EDGENAS_SERVER_URL", url)
        monkeypatch.setenv("EDGENAS_TOKEN", user_token(data))
        monkeypatch.setenv("EDGENAS_ENROLMENT_TOKEN", create_token(data, "enrol"))
        enrolment = (
            "enrol",
            url,
            "--name",
            "board",
            "--runtime",
            "simulated",
            "--data",
            str(folder / "agent"),
        )
        subprocess.run([BIN / "profiler-agent", *enrolment], check=True, capture_output=True)
        processes.append(start("search-server", "worker", log=folder / "worker.log"))
        agent = ("run", "--runtime", "simulated", "--data", str(folder / "agent"))
        processes.append(start("profiler-agent", *agent, log=folder / "agent.log"))
        job_id = ""
        for program, *words in commands_of_the_page():
            given = [word.replace("$PWD", str(folder)) if word != "JOB" else job_id for word in words]
            added = next((more for name, more in MORE.items() if name in words), ())
            done = subprocess.run(
                [BIN / program, *given, *added],
                capture_output=True,
                text=True,
                check=False,
                env=os.environ,
            )
            assert done.returncode == 0, f"{program} {' '.join(given)}\n{done.stdout}\n{done.stderr}"
            if "submit" in words:
                found = re.search(r"job_[0-9a-f]+", done.stdout)
                assert found, done.stdout
                job_id = found[0]
        session = onnxruntime.InferenceSession(folder / "network.onnx")
        assert (
            session.get_modelmeta().custom_metadata_map["class_names"] == '["circle", "square", "triangle"]'
        )
    finally:
        stop(processes)
