"""The command ``search-server`` as a user types it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy.exc import OperationalError

from search_server import opening
from search_server.__main__ import main
from search_server.db.session import Database
from search_server.errors import UnavailableError
from search_server.logs import configure_logs
from search_server.settings import Settings
from search_server.tokens import create_token
from search_server.worker_command import tell_start


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left."""

    status: int
    stdout: str
    stderr: str


Run = Callable[..., Ended]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    umask = os.umask(0o022)

    def run_here(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["search-server", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    yield run_here
    os.umask(umask)
    structlog.reset_defaults()  # the command logs to the stderr of this test


def test_token_life(run: Run, tmp_path: Path) -> None:
    created = run("token", "create", "--scope", "user")
    text = created.stdout.strip()
    assert text.startswith("edg_user_")
    assert (tmp_path / ".edgenas" / "edgenas.db").exists()
    token_id = text.split("_")[2]
    assert run("token", "revoke", token_id).status == 0
    (row,) = json.loads(run("token", "list", "--json").stdout)
    assert (row["token_id"], row["scope"]) == (token_id, "user")
    assert row["revoked_at"]
    assert text.split("_", 3)[3] not in json.dumps(row)


def test_an_enrolment_token_comes_with_the_line_for_the_device(run: Run) -> None:
    command = ("token", "create", "--scope", "enrol", "--print-command", "--server-url")
    told = run(*command, "http://192.168.1.5:8000").stdout
    token, _, _, line = told.splitlines()
    assert token.startswith("edg_enrol_")
    assert line.strip() == "curl -fsS http://192.168.1.5:8000/install/agent.sh | sh"
    assert run(*command, "http://192.168.1.5:70000").stderr.startswith("error: the server's address")
    assert run("token", "create", "--scope", "user", "--print-command").status == 2


def test_an_expired_token_is_listed_as_expired(run: Run, tmp_path: Path) -> None:
    assert run("token", "create", "--scope", "user", "--ttl", "1h").status == 0
    database = Database(f"sqlite:///{tmp_path / '.edgenas' / 'edgenas.db'}")
    with database.transaction() as session:
        create_token(session, "enrol", datetime(2026, 1, 1, tzinfo=UTC), ttl=timedelta(hours=1))
    database.close()
    listed = {line.split()[1]: line.split()[2] for line in run("token", "list").stdout.splitlines()}
    assert listed == {"user": "valid", "enrol": "expired"}


def test_mistakes_say_what_is_right(run: Run) -> None:
    wrong_scope = run("token", "create", "--scope", "device")
    assert (wrong_scope.status, "user, enrol or admin" in wrong_scope.stderr) == (2, True)
    unknown = run("token", "revoke", "0000")
    assert (unknown.status, unknown.stderr.startswith("error: no token '0000'")) == (1, True)


def test_a_worker_does_not_start_on_an_accelerator_that_is_not_there(run: Run) -> None:
    torch = pytest.importorskip("torch")
    if torch.backends.mps.is_available():
        pytest.skip("this machine has the accelerator")
    refused = run("worker", "--accelerator", "mps")
    assert refused.status == 1
    assert refused.stderr.startswith("error: accelerator 'mps' cannot be used: torch ")
    assert "choose one of these or 'auto'" in refused.stderr
    unknown = run("worker", "--accelerator", "tpu")
    assert (unknown.status, "--accelerator" in unknown.stderr) == (2, True)


def test_a_worker_says_at_once_what_it_waits_for(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "search_server", "worker"]
    environment = os.environ | {"EDGENAS_DATA_ROOTS": "/srv/images", "EDGENAS_LOG_FORMAT": "json"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stderr is not None
        said = json.loads(worker.stderr.readline())
        worker.terminate()
    assert worker.returncode == 0
    assert said["event"] == "waiting for searches; stop with Ctrl-C"
    assert said["database"] == f"sqlite:///{tmp_path}/.edgenas/edgenas.db"
    assert said["images"] == ["/srv/images"]


def test_a_worker_keeps_the_password_of_its_database(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format="json")
    tell_start(Settings(database_url="postgresql://edgenas:s3cret@host/edgenas"))
    structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "postgresql://edgenas:***@host/edgenas" in said
    assert "s3cret" not in said


def test_foreign_database_is_migrated_only_when_asked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/other.db"
    monkeypatch.setenv("EDGENAS_DATABASE_URL", url)
    refused = run("token", "list")
    assert refused.status == 1
    assert "search-server migrate" in refused.stderr
    assert run("migrate").status == 0
    assert run("token", "list").status == 0


def test_data_is_for_its_user_alone(run: Run, tmp_path: Path) -> None:
    assert run("token", "create", "--scope", "user", "--data", "new").status == 0
    made = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert tmp_path / "new" / "edgenas.db" in made
    assert {path.stat().st_mode & 0o077 for path in made} == {0}


@pytest.mark.parametrize("command", [("serve",), ("worker",), ("migrate",), ("token", "list")])
def test_unusable_data_is_told_in_one_line(run: Run, tmp_path: Path, command: Sequence[str]) -> None:
    (tmp_path / "file").write_text("")
    folder = run(*command, "--data", "file/nope")
    assert (folder.status, folder.stderr.count("\n")) == (1, 1)
    assert "the data folder file/nope cannot be made (Not a directory)" in folder.stderr
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "edgenas.db").write_text("this is no database " * 100)
    database = run(*command, "--data", "data")
    assert (database.status, database.stderr.count("\n")) == (1, 1)
    assert "file is not a database" in database.stderr
    assert "data/edgenas.db" in database.stderr


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("EDGENAS_PORT", "seventy", "EDGENAS_PORT is wrong: input should be a valid integer"),
        ("EDGENAS_PORT", "70000", "EDGENAS_PORT is wrong: input should be less than or equal to 65535"),
        ("EDGENAS_AGENT_NETWORKS", "10.0.0.0/8", 'such as ["10.0.0.0/8"]'),
        ("EDGENAS_AGENT_NETWORKS", '["10.0.0.0/99"]', "EDGENAS_AGENT_NETWORKS is wrong: "),
        ("EDGENAS_DATABSE_URL", "sqlite:///x", "did you mean EDGENAS_DATABASE_URL?"),
        ("EDGENAS_DATABASE_URL", "sqlite:////nowhere/x", "unable to open database file"),
        ("EDGENAS_DATABASE_URL", "postgresql://u:s3cret@127.0.0.1:1/x", "Connection refused"),
    ],
)
def test_a_wrong_setting_is_told_without_its_value(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setattr(opening, "PATIENCE_S", 0.0)
    monkeypatch.setenv(name, value)
    for command in (("serve",), ("worker",), ("token", "list")):
        ended = run(*command)
        assert (ended.status, ended.stderr.startswith("error: ")) == (1, True)
        assert told in ended.stderr
        assert "Traceback" not in ended.stderr
        assert "s3cret" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "told"), [("prot = 1", "'prot' in edgenas.toml"), ("[", "cannot be read")]
)
def test_a_wrong_settings_file_is_told(run: Run, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "edgenas.toml").write_text(text)
    ended = run("token", "list")
    assert (ended.status, ended.stderr.count("\n"), told in ended.stderr) == (1, 1, True)


def test_names_of_agents_are_no_misspelled_settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGENAS_AGENT_SERVER", "EDGENAS_AGENT_DATA", "EDGENAS_ENROLMENT_TOKEN", "EDGENAS_TOKEN"):
        monkeypatch.setenv(name, "something")
    assert run("token", "list").status == 0


def test_an_address_that_is_taken_is_told(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("serve", "--port", str(taken.getsockname()[1]))
    assert (ended.status, ended.stderr.count("\n")) == (1, 1)
    assert "Address already in use" in ended.stderr
    assert "--port" in ended.stderr
    nowhere = run("serve", "--host", "203.0.113.9")
    assert (nowhere.status, nowhere.stderr.startswith("error: cannot listen on 203.0.113.9")) == (1, True)


def test_a_service_waits_for_a_database_that_does_not_answer_yet(
    tmp_path: Path,
    sqlite_template: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = ["Connection refused", *["the database system is starting up"] * 2]

    def connect(_: str) -> Database:
        if answers:
            raise OperationalError("", {}, Exception(answers.pop(0)))
        return Database(f"sqlite:///{sqlite_template}")

    monkeypatch.setattr(opening, "Database", connect)
    monkeypatch.setattr(opening, "_ASK_AGAIN_S", 0.01)
    settings = Settings(data=tmp_path, database_url="postgresql://edgenas:s3cret@host/x")
    opening.await_database(settings).close()
    assert answers == []
    told = capsys.readouterr()
    assert (told.out + told.err).count("waiting for the database") == 1
    answers += ["Connection refused"] * 2
    monkeypatch.setattr(opening, "PATIENCE_S", 0.0)
    with pytest.raises(UnavailableError, match="Connection refused"):
        opening.await_database(settings)
    assert len(answers) == 1


def test_an_address_of_no_database_is_told_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGENAS_DATABASE_URL", "nonsense")
    ended = run("migrate")
    assert (ended.status, ended.stderr.count("\n")) == (1, 1)
    assert "EDGENAS_DATABASE_URL" in ended.stderr


def test_a_backup_is_restored_into_an_empty_place_only(run: Run, tmp_path: Path) -> None:
    token_id = run("token", "create", "--scope", "user").stdout.split("_")[2]
    (tmp_path / "kept").mkdir()
    told = run("backup", "kept")
    (path,) = (tmp_path / "kept").iterdir()
    assert (told.status, told.stdout.startswith(f"kept/{path.name}: 1 files")) == (0, True)
    assert path.stat().st_mode & 0o077 == 0
    refused = run("restore", str(path))
    assert (refused.status, refused.stderr.startswith("error: the database would be overwritten")) == (
        1,
        True,
    )
    assert run("restore", str(path), "--data", "new").status == 0
    assert token_id in run("token", "list", "--data", "new").stdout
    assert run("restore", str(path), "--force").status == 0
    assert run("restore", "nowhere.tar").stderr.startswith("error: nowhere.tar cannot be read as a backup")


def test_the_doctor_says_what_to_do_and_ends_with_a_status(run: Run, tmp_path: Path) -> None:
    missing = run("doctor", "--data", "nowhere")
    assert (missing.status, "fail  data folder" in missing.stdout) == (1, True)
    assert run("token", "create", "--scope", "user").status == 0
    findings = {entry["subject"]: entry for entry in json.loads(run("doctor", "--deep", "--json").stdout)}
    assert (findings["database"]["level"], findings["results"]["level"]) == ("ok", "ok")
    assert "search-server worker" in findings["worker"]["next_step"]
    (tmp_path / ".edgenas" / "edgenas.db").write_text("this is no database " * 100)
    broken = run("doctor")
    assert (broken.status, "file is not a database" in broken.stdout) == (1, True)


def test_the_audit_trail_is_listed_newest_first(run: Run) -> None:
    run("user", "add", "alice")
    run("token", "create", "--user", "alice")
    run("user", "disable", "alice")
    listed = json.loads(run("audit", "--json").stdout)
    assert [(entry["action"], entry["scope"]) for entry in listed] == [
        ("user disable", "command"),
        ("token create", "command"),
        ("user add", "command"),
    ]
    (newest, *_) = run("audit", "-n", "1").stdout.splitlines()
    assert "user disable  alice" in newest
    assert newest.startswith(listed[0]["at"][:10])
    assert json.loads(run("audit", "--subject", "no such thing", "--json").stdout) == []
    until = run("audit", "--until", listed[0]["at"], "--json").stdout
    assert json.loads(until) == listed[1:]
    assert json.loads(run("audit", "--since", listed[0]["at"], "--json").stdout) == listed[:1]


def test_a_time_that_is_none_is_refused(run: Run) -> None:
    ended = run("audit", "--since", "yesterday")
    assert (ended.status, ended.stdout) == (1, "")
    assert "--since must be a time such as 2026-11-28T09:00:00Z, got 'yesterday'" in ended.stderr
