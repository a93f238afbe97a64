from pathlib import Path

import pytest

from profiler_agent.carriers.credentials import (
    Credentials,
    ensure_serve_token,
    load_credentials,
    save_credentials,
)
from profiler_agent.only_when import OnlyWhen
from profiler_agent.settings import load_settings, parse_address, store_settings


def test_flags_win_over_variables_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text(
        'name = "file"\nserver = "http://file"\ncores = [0, 1]\nthreads = 2\n'
    )
    environ = {
        "EDGENAS_AGENT_DATA": str(tmp_path),
        "EDGENAS_AGENT_NAME": "variable",
        "EDGENAS_AGENT_SERVER": "http://variable",
    }
    settings = load_settings({"name": "flag", "server": None}, environ)
    assert settings.data == tmp_path
    assert settings.name == "flag"
    assert settings.server == "http://variable"
    assert settings.cores == (0, 1)
    assert settings.threads == 2
    assert settings.listen is None


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"cores": "0,a"}, "cores must be"),
        ({"cores": "1,1"}, "cores must be"),
        ({"threads": "0"}, "threads must lie in 1..256"),
    ],
)
def test_values_of_the_wrong_form_are_refused(tmp_path: Path, flags: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load_settings({"data": str(tmp_path), **flags}, {})


@pytest.mark.parametrize(("text", "words"), [("x = 1", "unknown x"), ("x =", "not valid TOML")])
def test_a_broken_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "agent.toml").write_text(text)
    with pytest.raises(ValueError, match=words):
        load_settings({"data": str(tmp_path)}, {})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("8070", ("127.0.0.1", 8070)),
        (":8070", ("127.0.0.1", 8070)),
        ("[::1]:8070", ("::1", 8070)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["localhost", "localhost:", "localhost:99999", "a:b"])
def test_addresses_without_a_port_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


def test_credentials_are_for_the_owner_only(tmp_path: Path) -> None:
    credentials = Credentials("http://server", "phone", "secret")
    save_credentials(tmp_path / "data", credentials)
    path = tmp_path / "data" / "credential.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_credentials(tmp_path / "data") == credentials
    path.chmod(0o640)
    with pytest.raises(ValueError, match="chmod 600"):
        load_credentials(tmp_path / "data")


def test_secrets_do_not_show_in_messages() -> None:
    assert "secret" not in repr(Credentials("http://server", "phone", "secret", "secret"))


def test_the_serve_token_is_made_once_and_keeps_the_rest(tmp_path: Path) -> None:
    save_credentials(tmp_path, Credentials("http://server", "phone", "secret"))
    token = ensure_serve_token(tmp_path)
    assert token.startswith("edg_agent_")
    assert len(token) >= 50
    assert ensure_serve_token(tmp_path) == token
    assert load_credentials(tmp_path) == Credentials("http://server", "phone", "secret", token)


def test_an_owners_answers_are_kept_beside_what_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('# mine\nname = "pixel"\nallow_upgrade = "yes"\n')
    store_settings(tmp_path, {"only_when": "charging", "allow_upgrade": "no", "threads": None})
    settings = load_settings({"data": str(tmp_path)}, {})
    assert (settings.name, settings.only_when, settings.allow_upgrade) == ("pixel", OnlyWhen(True), False)
    assert (tmp_path / "agent.toml").read_text().startswith("# mine\n")
    assert load_settings({"data": str(tmp_path), "allow_upgrade": "yes"}, {}).allow_upgrade


def test_upgrades_are_off_unless_an_owner_allows_them(tmp_path: Path) -> None:
    assert not load_settings({"data": str(tmp_path)}, {}).allow_upgrade
    with pytest.raises(ValueError, match="allow_upgrade must be yes or no"):
        load_settings({"data": str(tmp_path), "allow_upgrade": "perhaps"}, {})
