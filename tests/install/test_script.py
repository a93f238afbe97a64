"""The installer as text: valid for POSIX shells, filled in, and with no option that takes a token."""

import shutil
import subprocess
from pathlib import Path

import pytest

from search_server.install.agent_wheel import agent_wheel
from search_server.install.script import install_script

SERVER = "http://192.168.1.5:8000"


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "busybox"])
def test_shells_read_it(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    command = [shell, "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*command, "-n"], input=install_script(SERVER), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_it_knows_its_server_and_the_hash_of_its_wheel() -> None:
    script = install_script(SERVER + "/")
    assert f"server={SERVER}\n" in script
    assert agent_wheel().sha256 in script
    assert "KillMode=mixed" in script
    assert "@" not in "".join(
        line for line in script.splitlines() if line.startswith(("server=", "wheel=", "sha"))
    )


def test_a_checker_of_shell_scripts_finds_nothing(tmp_path: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck here")
    script = tmp_path / "agent.sh"
    script.write_text(install_script(SERVER))
    done = subprocess.run(
        ["shellcheck", "--shell=sh", "--severity=warning", str(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_download_that_is_cut_does_nothing(tmp_path: Path) -> None:
    lines = install_script(SERVER).splitlines(keepends=True)
    for end in range(len(lines)):
        done = subprocess.run(
            ["sh", "-s", "--", "--user", "--token-file", "/dev/null"],
            input="".join(lines[:end]),
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )
        assert (done.stdout, list(tmp_path.iterdir())) == ("", []), end
        assert "error: the enrolment token" not in done.stderr, end  # as the whole script says
    assert "error: the enrolment token is empty" in run_script("--user", "--token-file", "/dev/null").stderr


def test_what_is_not_there_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / ".local/share").mkdir(parents=True)
    done = run_script("--user", "--uninstall", home=tmp_path)
    assert done.returncode == 0
    assert f"There is no agent at {tmp_path}/.local/share/edgenas-agent" in done.stderr
    assert (tmp_path / ".local/share").exists()


@pytest.mark.parametrize("address", ["http://a$(id)", "http://a;id", "http://a'b"])
def test_an_address_is_never_run(address: str) -> None:
    line = next(line for line in install_script(address).splitlines() if line.startswith("server="))
    done = subprocess.run(
        ["sh", "-c", f'{line}\nprintf %s "$server"'], capture_output=True, text=True, check=True
    )
    assert done.stdout == address


def run_script(*options: str, home: Path = Path("/nonexistent")) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-s", "--", *options],
        input=install_script(SERVER),
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # no terminal to ask
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
    )


def test_a_token_is_no_option() -> None:
    done = run_script("--token", "edg_enrol_1_secret")
    assert done.returncode == 1
    assert "unknown option --token;" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--user"], "there is no terminal to ask for the token; give it with --token-file FILE"),
        (["--user", "--token-file", "/nonexistent/token"], "cannot be read"),
        (["--user", "--token-file", "/dev/null"], "token is empty"),
        (["--name"], "--name needs a value"),
    ],
)
def test_what_is_missing_is_told(options: list[str], words: str) -> None:
    done = run_script(*options)
    assert done.returncode == 1
    assert words in done.stderr
