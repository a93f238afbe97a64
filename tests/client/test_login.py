"""``edgenas login``: what is kept where, who can read it, and what wins over it."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from search_server.client import SearchClient
from search_server.client.cli import app
from search_server.client.login import Login, keep_login, login_path, server_and_token
from tests.client.served import Served


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without login and without variables."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("EDGENAS_SERVER_URL", "EDGENAS_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def edgenas(*arguments: str, input_text: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=input_text)


def test_after_login_neither_address_nor_token_is_needed(served: Served) -> None:
    served.enrol()
    assert edgenas("devices", "list").exit_code == 1  # nobody listens on port 8000, or asks for a token
    done = edgenas("login", f"{served.url}/", input_text=f"{served.token}\n")
    assert done.exit_code == 0, done.stderr
    assert served.token not in done.output
    assert stat.S_IMODE(login_path().stat().st_mode) == 0o600
    assert "bench" in edgenas("devices", "list").stdout
    with SearchClient() as client:
        assert [device.name for device in client.devices()] == ["bench"]
    assert edgenas("logout").stderr == "logged out\n"
    assert not login_path().exists()
    assert edgenas("devices", "list").exit_code == 1
    assert edgenas("logout").exit_code == 0


def test_a_token_that_the_server_does_not_take_is_not_kept(served: Served) -> None:
    refused = edgenas("login", served.url, input_text="edg_user_000000000000_wrong\n")
    assert refused.exit_code == 1
    assert not login_path().exists()


def test_variables_win_and_the_token_goes_to_its_own_server_only(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_login(Login("http://server:8000", "of the login"))
    assert server_and_token(None, None) == ("http://server:8000", "of the login")
    assert server_and_token("http://server:8000/", None) == ("http://server:8000", "of the login")
    assert server_and_token("http://other:8000", None) == ("http://other:8000", None)
    assert server_and_token(None, "") == ("http://server:8000", "")
    monkeypatch.setenv("EDGENAS_TOKEN", "of the variable")
    assert server_and_token(None, None) == ("http://server:8000", "of the variable")
    assert server_and_token(None, "given") == ("http://server:8000", "given")
    monkeypatch.setenv("EDGENAS_SERVER_URL", "http://third:8000")
    monkeypatch.delenv("EDGENAS_TOKEN")
    assert server_and_token(None, None) == ("http://third:8000", None)


def test_a_login_that_others_can_read_is_refused() -> None:
    path = keep_login(Login("http://server:8000", "secret"))
    path.chmod(0o644)
    with pytest.raises(ValueError, match=r"chmod 600") as caught:
        server_and_token(None, None)
    assert "secret" not in str(caught.value)
    path.chmod(0o600)
    path.write_text("no login")
    with pytest.raises(ValueError, match=r"edgenas logout"):
        server_and_token(None, None)
