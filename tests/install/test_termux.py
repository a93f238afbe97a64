"""The one line in Termux, played: its folders, its few programs, and a ``pkg`` that notes what it is told.

Android itself is not here. What is shown is that the script takes this way by itself, needs no program that
Termux lacks, and leaves nothing; what Android forbids an agent is tried in ``test_android.py``.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.local_services import create_token, stop, user_token
from search_server.client import SearchClient
from tests.install.seen import until_it_calls

PROGRAMS = (
    "cat",
    "chmod",
    "curl",
    "env",
    "find",
    "id",
    "mkdir",
    "rm",
    "rmdir",
    "sh",
    "sleep",
    "tr",
    "uname",
)
"""All that the script finds, of what Termux has at its first start."""
LEFT_OUT = ("edgenas", "_edgenas", "onnxruntime", "ncnn", "ai_edge_litert", "executorch", "torch")
"""Ours, and runtimes: from pip there is none for Android, or ``pkg`` brings it."""

PACKAGES = ("python", "python-ensurepip-wheels", "python-numpy", "python-onnxruntime", "termux-api")

PKG = """#!{prefix}/bin/sh
echo "$*" >>{prefix}/pkg-was-told
for package in "$@"; do
    case $package in
        install | -y | python-numpy | python-ensurepip-wheels | termux-api) ;;
        python)
            printf '#!{prefix}/bin/sh\\nexec {python} "$@"\\n' >{prefix}/bin/python3
            chmod +x {prefix}/bin/python3 ;;
        python-onnxruntime) {onnxruntime} ;;
        *) exit 100 ;;
    esac
done
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # two installations on a busy machine


@dataclass(frozen=True, slots=True)
class Phone:
    """Termux's folders below another one."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "data/data/com.termux/files/home"

    @property
    def prefix(self) -> Path:
        return self.root / "data/data/com.termux/files/usr"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": f"{self.prefix}/bin",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PREFIX": str(self.prefix),
            "PYTHONPATH": str(self.prefix / "packages"),
            "TERMUX_VERSION": "0.118.3",
            "TMPDIR": str(self.prefix / "tmp"),
        }

    def files(self) -> set[str]:
        """Return all that lies at home and in the folder of temporary files."""
        folders = (self.home, self.prefix / "tmp")
        return {str(path) for folder in folders for path in folder.rglob("*")}

    def pkg_was_told(self) -> list[str]:
        return (self.prefix / "pkg-was-told").read_text().splitlines()

    def type_line(self, server: str, options: str) -> str:
        """Run what a person would type and return what it says."""
        done = subprocess.run(
            [f"{self.prefix}/bin/sh", "-c", f"curl -fsS {server}/install/agent.sh | sh -s -- {options}"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def boot(self) -> "subprocess.Popen[bytes]":
        """Do what the app Termux:Boot does when the phone has started."""
        (script,) = (self.home / ".termux/boot").iterdir()
        return subprocess.Popen([str(script)], env=self.environment, start_new_session=True)


def phone_with(folder: Path, *, has_onnxruntime: bool) -> Phone:
    """Return a phone whose package index has ONNX Runtime for Python, or has not."""
    phone = Phone(folder / "phone")
    (phone.home / ".termux").mkdir(parents=True)
    for name in ("bin", "tmp", "packages"):
        (phone.prefix / name).mkdir(parents=True)
    (phone.home / ".termux/termux.properties").write_text("")
    for name in PROGRAMS:
        program = shutil.which(name)
        assert program is not None, name
        (phone.prefix / "bin" / name).symlink_to(program)
    packages = Path(sysconfig.get_path("purelib"))
    for path in packages.iterdir():
        if not path.name.startswith(LEFT_OUT):
            (phone.prefix / "packages" / path.name).symlink_to(path)
    bring = f"{shutil.which('ln')} -s {packages}/onnxruntime* {phone.prefix}/packages"
    pkg = PKG.format(
        prefix=phone.prefix,
        python=os.path.realpath(sys.executable),
        onnxruntime=bring if has_onnxruntime else "exit 100",
    )
    wake_lock = f"#!{phone.prefix}/bin/sh\necho locked >>{phone.prefix}/wake-lock\n"
    for name, text in (("pkg", pkg), ("termux-wake-lock", wake_lock)):
        (phone.prefix / "bin" / name).write_text(text)
        (phone.prefix / "bin" / name).chmod(0o755)
    return phone


@pytest.mark.parametrize("has_onnxruntime", [True])
def test_it_takes_what_termux_has_starts_with_the_phone_and_leaves_nothing(
    tmp_path: Path, server: str, has_onnxruntime: bool
) -> None:
    phone = phone_with(tmp_path, has_onnxruntime=has_onnxruntime)
    before = phone.files()
    token = tmp_path / "token"
    token.write_text(create_token(tmp_path, "enrol"))
    told = phone.type_line(server, f"--token-file {token} --name board")
    assert phone.pkg_was_told() == [f"install -y {package}" for package in PACKAGES]
    assert ("Termux has no python-onnxruntime" in told) is not has_onnxruntime
    assert ("measures nothing before it has a runtime" in told) is not has_onnxruntime
    with SearchClient(server, user_token(tmp_path)) as client:
        agent = phone.boot()
        try:
            device = until_it_calls(client, lambda _: True).device
            expected = ["onnxruntime"] if has_onnxruntime else []
            assert [runtime.name for runtime in device.runtimes] == expected
            assert (phone.prefix / "wake-lock").read_text() == "locked\n"

            told = phone.type_line(server, "")
            assert f"The agent of before still runs; end it with: kill {agent.pid}" in told
            assert [device.name for device in client.devices()] == ["board"]

            phone.type_line(server, "--uninstall")
            agent.wait(60)  # uninstalling ends what runs
        finally:
            stop([agent])
    assert phone.files() == before
