"""What an agent does when its server asks: a new credential always, an upgrade if its owner allowed it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from profiler_agent.carriers.credentials import Credentials, load_credentials, save_credentials
from profiler_agent.carriers.errands import Errands, UpgradedError, upgrade_steps
from profiler_agent.facts.device import read_device
from profiler_agent.facts.installation import installed_wheel, note_installed_wheel
from shared.protocol.call_server import ServerClient
from shared.protocol.device import Device
from shared.protocol.measurement import AgentWheel, HeartbeatReply
from shared.protocol.wire import WireError, from_dict
from tests.profiler_agent.tiny_server import TOKEN, URL, TinyServer

OLD, NEW = "0" * 64, "1" * 64
WHEEL = AgentWheel("edgenas_agent-0.2.0-py3-none-any.whl", NEW)
DEVICE = replace(read_device("pixel", ()), agent_sha256=OLD)
WILLING = replace(DEVICE, accepts_upgrade=True)


def do(
    folder: Path,
    reply: HeartbeatReply,
    device: Device = WILLING,
    pip: Sequence[str] = ("false",),
    agent: Sequence[str] = ("true",),
    server: TinyServer | None = None,
) -> str:
    async def play() -> str:
        transport = httpx.ASGITransport((server or TinyServer()).app)
        async with httpx.AsyncClient(transport=transport) as http:
            client = ServerClient(URL, TOKEN, http)
            return await Errands(client, folder, device, prefix=folder, pip=pip, agent=agent).do(reply)

    return asyncio.run(play())


def test_a_new_credential_is_kept_with_all_else(tmp_path: Path) -> None:
    save_credentials(tmp_path, Credentials(URL, "phone", TOKEN, "edg_agent_x"))
    server = TinyServer()
    assert do(tmp_path, HeartbeatReply(rotate=True), server=server) == ""
    assert [create.device for create in server.enrolled] == [WILLING]
    assert load_credentials(tmp_path) == Credentials(URL, "phone", server.renewed_token, "edg_agent_x")


def test_an_owner_who_did_not_allow_it_is_not_upgraded(tmp_path: Path) -> None:
    said = tmp_path / "said"
    failure = do(tmp_path, HeartbeatReply(upgrade=WHEEL), DEVICE, ("touch", str(said)))
    assert "did not allow upgrades" in failure
    assert not said.exists()


def test_an_upgrade_installs_the_servers_wheel_and_asks_for_a_restart(tmp_path: Path) -> None:
    said = tmp_path / "said"
    pip = ("sh", "-c", f'printf "%s\\n" "$*" >>{said}', "pip")
    with pytest.raises(UpgradedError, match=r"edgenas_agent-0\.2\.0"):
        do(tmp_path, HeartbeatReply(upgrade=WHEEL), WILLING, pip)
    address = f"{URL}/install/edgenas_agent-0.2.0-py3-none-any.whl#sha256={NEW}"
    assert said.read_text().splitlines() == [address, f"--force-reinstall --no-deps {address}"]
    assert installed_wheel(tmp_path) == NEW


def test_a_failed_upgrade_says_why_and_the_agent_goes_on(tmp_path: Path) -> None:
    note_installed_wheel(tmp_path, OLD)
    pip = ("sh", "-c", "echo hashes do not match >&2; exit 3", "pip")
    failure = do(tmp_path, HeartbeatReply(upgrade=WHEEL), WILLING, pip)
    assert failure.startswith("pip ended with status 3: hashes do not match")
    assert installed_wheel(tmp_path) == OLD


def test_an_agent_that_would_not_start_is_no_upgrade(tmp_path: Path) -> None:
    note_installed_wheel(tmp_path, OLD)
    agent = ("sh", "-c", "echo ImportError: no module named attrs >&2; exit 1")
    failure = do(tmp_path, HeartbeatReply(upgrade=WHEEL), WILLING, ("true",), agent)
    assert failure.startswith("the new agent ended with status 1: ImportError: no module named attrs")
    assert installed_wheel(tmp_path) == OLD


def test_the_agent_that_is_there_is_not_installed_again(tmp_path: Path) -> None:
    assert do(tmp_path, HeartbeatReply(upgrade=replace(WHEEL, sha256=OLD))) == ""


@pytest.mark.parametrize(
    "name",
    [
        "../edgenas_agent-1-py3-none-any.whl",
        "http://elsewhere/edgenas_agent-1-py3-none-any.whl",
        "other-1-py3-none-any.whl",
        "edgenas_agent-1-py3-none-any.whl --index-url x",
    ],
)
def test_a_server_names_nothing_but_a_wheel_of_the_agent(name: str) -> None:
    with pytest.raises(WireError, match="is not called"):
        from_dict({"upgrade": {"name": name, "sha256": NEW}}, HeartbeatReply)
    assert all(step[-1].startswith(f"{URL}/install/") for step in upgrade_steps(URL, WHEEL))
