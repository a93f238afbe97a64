"""A board, played on this machine: folders and users of its own, and its unit run as systemd would.

In a mount namespace ``/etc``, ``/home``, ``/opt``, ``/root``, ``/run``, ``/tmp`` and ``/var/lib`` are the
board's own, and this Python with most of its packages is that of the board. ``systemctl`` only notes what
it is told. The unit is run as it says: with its user and its variables and nothing of the caller's, and
able to write where ``ReadWritePaths`` lets it and nowhere else.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

UNIT = "/etc/systemd/system/edgenas-agent.service"
TOLD = "/run/systemctl-was-told"
USER = "pi"
"""Somebody without rights, at home in ``/home/pi``."""

_LEFT_OUT = ("edgenas", "_edgenas", "torch", "ncnn", "ai_edge_litert", "executorch")
"""Ours, and runtimes: one is enough."""
_LIBRARY = {"LD_LIBRARY_PATH": "/opt/python/lib"}
"""Where this Python's own library lies; it would look in a home that others may not enter."""
_NEEDED = ("curl", "findmnt", "nsenter", "runuser", "setpriv", "unshare", "useradd")
_SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
_OWN = "/etc /home /opt /root /run /tmp /var/lib"

_MAKE = f"""set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/etc
cp -a /etc/. /run/etc
mount --bind /run/etc /etc
mount -t tmpfs -o mode=755 tmpfs /opt
mkdir /opt/python /opt/site /opt/packages /opt/bin
mount --bind "$1" /opt/python
mount --bind "$2" /opt/site
for folder in /home /root /var/lib; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /opt/python/{_SITE}
echo /opt/packages >/opt/python/{_SITE}/board.pth
for name in $3; do ln -s "/opt/site/$name" /opt/packages; done
mkdir -p /etc/systemd/system $4
printf '#!/bin/sh\\necho "$*" >>{TOLD}\\n' >/opt/bin/systemctl
chmod +x /opt/bin/systemctl
touch {TOLD}
useradd --create-home --home-dir /home/{USER} {USER}
echo made
cat
"""

_RUN_UNIT = """set -e
for path in $2; do mount --bind "$path" "$path"; done
findmnt -rn -o TARGET | grep -vE '^/(dev|proc|sys)(/|$)' | while read -r path; do
    [ -e "$path" ] || continue # another mount hides it
    case " $2 " in *" $path "*) ;; *) mount -o remount,bind,ro "$path" ;; esac
done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=0 tmpfs /root
user=$1
shift 2
exec setpriv --reuid "$user" --regid "$user" --init-groups --no-new-privs env -i "$@"
"""


def why_not_here() -> str:
    """Return why no board can be played here; empty if one can."""
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        return f"needs root and {', '.join(_NEEDED)}"
    probe = ["unshare", "-m", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/opt"]
    return "" if subprocess.run(probe, check=False).returncode == 0 else "nothing can be mounted here"


@dataclass(frozen=True, slots=True)
class Board:
    """A mount namespace that a process holds open."""

    pid: int

    def run(
        self, *command: str, user: str = "root", **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self._as_user(user, *command),
            env=self._variables(user, variables),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )

    def start(self, line: str, user: str = "root") -> "subprocess.Popen[bytes]":
        """Start a line of a shell, in the place of which its last command runs."""
        words = ("sh", "-c", f"exec env {line}")
        return subprocess.Popen(
            self._as_user(user, *words), env=self._variables(user, {}), cwd="/", start_new_session=True
        )

    def type_line(self, server: str, options: str, token: str = "", user: str = "root") -> str:
        """Run the line that puts the agent on the board, and return what it says."""
        line = f"curl -fsS {server}/install/agent.sh | sh -s -- {options}"
        variables = {"EDGENAS_ENROLMENT_TOKEN": token} if token else {}
        done = self.run(
            *("sh", "-c", line),
            user=user,
            PIP_NO_INDEX="1",  # the packages of the board's Python are all that there is
            EDGENAS_INSTALL_SITE_PACKAGES="1",
            **variables,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr

    def start_unit(self) -> "subprocess.Popen[bytes]":
        """Start what the unit and its drop-ins say."""
        unit = self._unit()
        (user,), (start,), paths = unit["User"], unit["ExecStart"], " ".join(unit["ReadWritePaths"])
        home = self.run("sh", "-c", f"getent passwd {user} | cut -d: -f6").stdout.strip()
        variables = (
            "PATH=/usr/bin:/bin",
            f"HOME={home}",
            f"USER={user}",
            *(f"{name}={value}" for name, value in _LIBRARY.items()),
            *unit["Environment"],
        )
        arguments = ("sh", user, paths, *variables, *start.split())
        return subprocess.Popen(
            self._entering("unshare", "-m", "sh", "-c", _RUN_UNIT, *arguments),
            cwd="/",
            start_new_session=True,
        )

    def files(self) -> set[str]:
        """Return all files of the board, each with its rights and its owner."""
        found = self.run("sh", "-c", f"find {_OWN} -xdev -printf '%M %u %p\\n'")
        assert found.returncode == 0, found.stderr
        return set(found.stdout.splitlines())

    def systemctl_was_told(self) -> str:
        """Return the arguments of all its calls, a call a line."""
        return self.run("cat", TOLD).stdout

    def _unit(self) -> Mapping[str, list[str]]:
        """Return the values of the unit and its drop-ins by name, for those that this file plays."""
        text = self.run("sh", "-c", f"cat {UNIT}; cat {UNIT}.d/*.conf 2>/dev/null").stdout
        values: dict[str, list[str]] = defaultdict(list)
        for line in text.splitlines():
            name, equals, value = line.partition("=")
            if equals and not name.startswith("#"):
                values[name].append(value)
        for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp"):
            assert values[name] == ["yes"], f"{name} is played as yes"
        assert values["ProtectSystem"] == ["strict"]
        return values

    def _as_user(self, user: str, *command: str) -> tuple[str, ...]:
        if user == "root":
            return self._entering(*command)
        becoming = ("setpriv", "--reuid", user, "--regid", user, "--init-groups", "--")
        return self._entering(*becoming, *command)

    def _variables(self, user: str, more: Mapping[str, str]) -> dict[str, str]:
        home = "/root" if user == "root" else f"/home/{user}"
        path = "/opt/bin:/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "HOME": home, **_LIBRARY, **more}

    def _entering(self, *command: str) -> tuple[str, ...]:
        return ("nsenter", "-t", str(self.pid), "-m", "--", *command)


@contextmanager
def played_board(*, has_systemd: bool) -> Iterator[Board]:
    """Make a board; nothing of it stays."""
    packages = Path(sysconfig.get_path("purelib"))
    names = " ".join(path.name for path in packages.iterdir() if not path.name.startswith(_LEFT_OUT))
    system = "/run/systemd/system" if has_systemd else ""
    making = ("sh", "-c", _MAKE, "sh", sys.base_prefix, str(packages), names, system)
    holder = subprocess.Popen(
        ["unshare", "-m", "--propagation", "private", *making],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"made\n"
        yield Board(holder.pid)
