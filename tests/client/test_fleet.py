"""One command on many devices: chosen by name or tag, shown in one view, failed if one failed."""

import io
import json
from contextlib import ExitStack
from dataclasses import replace

import pytest
from rich.console import Console

from search_server.client.errors import SearchClientError
from search_server.client.fleet import Outcome, chosen_devices, on_each
from search_server.client.fleet_view import device_lines
from search_server.client.job_progress import JobProgress
from search_server.resources.devices import DeviceUpdate
from tests.client.conftest import Edgenas
from tests.client.served import Served
from tests.client.test_job_progress import JOB
from tests.client.tiny_device import tiny_device

ASKED = ("-s", "fbnet-tiny", "--runtime", "simulated")


def _enrol_kitchen(served: Served, *names: str) -> list[str]:
    """Enrol devices with the tag ``kitchen``; return their tokens."""
    tokens = [served.enrol(name).token for name in names]
    with served.client() as client:
        for name in names:
            client.update_device(name, DeviceUpdate(add_tags=("kitchen",)))
    return tokens


def test_devices_are_chosen_by_name_and_tag(served: Served) -> None:
    _enrol_kitchen(served, "a", "b")
    served.enrol("c")
    with served.client() as client:
        assert chosen_devices(client, ["c", "a"], "kitchen") == ("c", "a", "b")
        with pytest.raises(ValueError, match="no device carries the tag 'cellar'"):
            chosen_devices(client, tag="cellar")
        with pytest.raises(ValueError, match="name a device, or choose several with --tag"):
            chosen_devices(client)


def test_an_error_on_one_device_leaves_the_others_alone() -> None:
    def work(device: str) -> int:
        if device == "b":
            raise SearchClientError("b is broken")
        return len(device)

    assert on_each(["a", "b", "ccc"], work) == [
        Outcome("a", 1),
        Outcome("b", None, "b is broken"),
        Outcome("ccc", 3),
    ]


def test_one_command_works_on_all_devices_of_a_tag(served: Served, edgenas: Edgenas) -> None:
    with ExitStack() as devices:
        for token in _enrol_kitchen(served, "a", "b"):
            devices.enter_context(tiny_device(served.url, token))
        profiled = edgenas("profile", "--tag", "kitchen", *ASKED)
        measured = edgenas("measure", "--tag", "kitchen", *ASKED, "k3_e6", "k3_e1", "--json")
        checked = edgenas("tables", "check", "-d", "a", "-d", "b")
    assert profiled.exit_code == 0, profiled.stderr
    rows = [line for line in profiled.stdout.splitlines() if "accepted" in line]
    assert sorted(row.split()[0] for row in rows) == ["a", "b"]
    assert all(f"{name}: 100 %" in profiled.stderr for name in ("a", "b"))
    documents = json.loads(measured.stdout)
    assert sorted(document["device"] for document in documents) == ["a", "b"]
    assert all(
        [one["name"] for one in document["latencies"]] == ["k3_e6", "k3_e1"] for document in documents
    )
    assert checked.exit_code == 0, checked.stderr
    assert checked.stdout.count("unchanged") == 2


def test_the_exit_status_tells_that_one_device_failed(served: Served, edgenas: Edgenas) -> None:
    (token,) = _enrol_kitchen(served, "a")
    with tiny_device(served.url, token):
        answer = edgenas("measure", "-d", "a", "-d", "nobody", *ASKED, "k3_e6")
    assert answer.exit_code == 1
    assert "failed on 1 of 2: nobody" in answer.stderr
    good, bad = (line for line in answer.stdout.splitlines() if line.split()[:1] in (["a"], ["nobody"]))
    assert "measured, simulated" in good
    assert "no device 'nobody'" in bad


def test_a_line_for_each_device_fits_into_80_columns() -> None:
    written = io.StringIO()
    bar = device_lines(Console(file=written, width=80, force_terminal=True, color_system=None))
    for number in (1, 2):
        name = f"kitchen-phone-{number}"
        JobProgress(bar, name).update(replace(JOB, progress=0.5, message="waiting for a long time " * 9))
    bar.console.print(bar.get_renderable())
    lines = [line for line in written.getvalue().splitlines() if "kitchen" in line]
    assert len(lines) == 2
    assert all(len(line) <= 80 and " 50%" in line and "waiting" in line for line in lines)


def test_lines_without_a_terminal_name_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    JobProgress(None, "pixel").update(replace(JOB, progress=0.25, message="measuring"))
    assert capsys.readouterr().err == "pixel:  25 %  measuring\n"
