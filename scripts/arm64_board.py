"""A 64-bit ARM board on this machine: a Debian folder under qemu, in a network of its own behind NAT.

The board lies behind a router, as at home: it reaches the server, and the server cannot reach it.

    server, this machine 10.231.77.1 -- 10.231.77.2 router, NAT 10.231.78.1 -- 10.231.78.2 board
"""

import os
import platform
import pty
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SERVER_ADDRESS = "10.231.77.1"
USER = "pi"

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_ROUTER, _OUTER, _INNER = "edgenas-router", "edgenas-out", "edgenas-in"
_TABLE = "edgenas_arm64"
_PACKAGES = {
    "debootstrap": "debootstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "qemu-aarch64-static": "qemu-user-static binfmt-support",
}
_IN_THE_BOARD = "python3,python3-venv,ca-certificates,curl,procps"
_NAT = "add table ip {0}; add chain ip {0} out {{ type nat hook postrouting priority srcnat; }}; \
add rule ip {0} out ip saddr {1} ip daddr != {1} masquerade"


class SkippedError(Exception):
    """This machine cannot be a board; the message says why."""


class Board:
    """A running board."""

    def __init__(self, root: Path, holder: subprocess.Popen[bytes]) -> None:
        self._root = root
        self._holder = holder

    def command(self, line: str, user: str = USER) -> list[str]:
        """Return the command of this machine that runs a shell line on the board."""
        inner = subprocess.check_output(["pgrep", "-P", str(self._holder.pid)], text=True).split()[0]
        enter = ["nsenter", "--target", inner, "--mount", "--pid", "--net", "--uts", "--"]
        return [*enter, "chroot", str(self._root), "su", "-", user, "--session-command", line]

    def run(self, line: str, user: str = USER) -> str:
        """Run a shell line to its end and return what it printed; its status does not matter."""
        done = subprocess.run(self.command(line, user), capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def start(self, line: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a shell line in the background."""
        with log.open("ab") as file:
            return subprocess.Popen(self.command(line), stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def type(self, line: str, prompt: str, answer: str) -> str:
        """Run a line at a terminal, type an answer at its prompt, and return what the screen showed."""
        pid, terminal = pty.fork()
        if pid == 0:
            command = self.command(line)
            os.execvp(command[0], command)
        screen, has_answered = "", False
        while select.select([terminal], [], [], 1800)[0]:
            try:
                seen = os.read(terminal, 4096)
            except OSError:  # the other end is closed
                break
            screen += seen.decode(errors="replace")
            if prompt in screen and not has_answered:
                time.sleep(1.0)  # the script turns the echo off before it reads, and so would a person wait
                os.write(terminal, f"{answer}\n".encode())
                has_answered = True
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
        if status:
            raise RuntimeError(f"{line!r} ended with {os.waitstatus_to_exitcode(status)}:\n{screen}")
        return screen.replace("\r\n", "\n")

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Pull the router's cable to the server."""
        _run("ip", "-n", _ROUTER, "link", "set", _OUTER, "down")
        try:
            yield
        finally:
            _run("ip", "-n", _ROUTER, "link", "set", _OUTER, "up")
            _run("ip", "-n", _ROUTER, "route", "replace", "default", "via", SERVER_ADDRESS)


@contextmanager
def board(folder: Path) -> Iterator[Board]:
    """Start a board, made of Debian's packages the first time; stop it and take its networks away.

    Raises:
        SkippedError: this machine cannot do it.
    """
    _require_tools()
    root = _fresh_root(folder)
    forwarded = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    holder: subprocess.Popen[bytes] | None = None
    try:
        holder = _start(root)
        yield Board(root, holder)
    finally:
        if holder is not None:
            with suppress(ProcessLookupError):
                os.killpg(holder.pid, signal.SIGKILL)
            holder.wait()
        _remove_networks()
        Path("/proc/sys/net/ipv4/ip_forward").write_text(forwarded)


def _require_tools() -> None:
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise SkippedError("it takes root on Linux, for namespaces and chroot")
    missing = [packages for tool, packages in _PACKAGES.items() if shutil.which(tool) is None]
    if missing:
        if shutil.which("apt-get") is None:
            raise SkippedError(f"there is no apt-get to install {' '.join(missing)}")
        _try("apt-get", "update", "-q", why="no package index answers")
        install = ("apt-get", "install", "-qy", "--no-install-recommends", *" ".join(missing).split())
        _try(*install, why=f"{' '.join(missing)} cannot be installed")
    if platform.machine() == "aarch64":
        return
    if not (_BINFMT / "register").exists():
        _try("mount", "-t", "binfmt_misc", "none", str(_BINFMT), why="this kernel has no binfmt_misc")
    if not (_BINFMT / "qemu-aarch64").exists():
        _try("update-binfmts", "--enable", "qemu-aarch64", why="qemu cannot be registered with binfmt_misc")


def _fresh_root(folder: Path) -> Path:
    """Return the root of a new board, a copy of the one that was bootstrapped once."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    base, root = folder / "base", folder / "root"
    if not base.exists():
        unfinished = folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        bootstrap = ("debootstrap", "--arch=arm64", "--variant=minbase", f"--include={_IN_THE_BOARD}")
        _try(*bootstrap, "bookworm", str(unfinished), why="Debian cannot be bootstrapped for arm64")
        unfinished.rename(base)
    shutil.rmtree(root, ignore_errors=True)
    _run("cp", "--archive", "--reflink=auto", str(base), str(root))
    for file in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"):
        shutil.copy(file, root / file[1:])  # names and authorities as this machine knows them
    (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
    cpus = root / "sys/devices/system/cpu"
    cpus.mkdir(parents=True)
    # This machine's own /sys is of another architecture: ARM programs that read it crash. Without these two
    # files LiteRT finds no processor.
    for name in ("possible", "present"):
        (cpus / name).write_text(f"0-{(os.cpu_count() or 1) - 1}\n")
    # The processor of a Raspberry Pi 5: LiteRT's wheels use instructions that a Raspberry Pi 4 lacks. The
    # vectors of newer ones (SVE, SME) make networks run five times longer here, and no board has them.
    (root / "etc/profile.d/processor.sh").write_text("export QEMU_CPU=cortex-a76\n")
    _run("chroot", str(root), "useradd", "--create-home", "--shell", "/bin/sh", USER)
    return root


def _start(root: Path) -> subprocess.Popen[bytes]:
    """Make the networks and the process whose child is the board's first."""
    _remove_networks()
    lines = (
        f"ip netns add {_ROUTER}",
        f"ip link add edgenas-lan type veth peer name {_OUTER} netns {_ROUTER}",
        f"ip addr add {SERVER_ADDRESS}/24 dev edgenas-lan",
        "ip link set edgenas-lan up",
        f"ip -n {_ROUTER} addr add 10.231.77.2/24 dev {_OUTER}",
        f"ip -n {_ROUTER} link set {_OUTER} up",
        f"ip -n {_ROUTER} link set lo up",
        f"ip -n {_ROUTER} route add default via {SERVER_ADDRESS}",
        f"ip netns exec {_ROUTER} sysctl -qw net.ipv4.ip_forward=1",
        "sysctl -qw net.ipv4.ip_forward=1",
    )
    for line in lines:
        _try(*line.split(), why="this kernel makes no network namespaces")
    nat = _NAT.format(_TABLE, "10.231.77.0/24")
    _try("nft", nat, why="this kernel has no NAT")
    inner_nat = _NAT.format(_TABLE, "10.231.78.0/24")
    _try("ip", "netns", "exec", _ROUTER, "nft", inner_nat, why="this kernel has no NAT in namespaces")
    mounts = f"mount -t proc proc {root}/proc; mount -t devpts devpts {root}/dev/pts; hostname board; "
    first = f"{mounts} while :; do sleep 3600 & wait $!; done"
    unshare = ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child"]
    holder = subprocess.Popen([*unshare, "sh", "-c", first], start_new_session=True)
    time.sleep(1.0)
    for line in (
        f"ip link add {_INNER} netns {_ROUTER} type veth peer name eth0 netns {holder.pid}",
        f"ip -n {_ROUTER} addr add 10.231.78.1/24 dev {_INNER}",
        f"ip -n {_ROUTER} link set {_INNER} up",
        f"nsenter --target {holder.pid} --net ip addr add 10.231.78.2/24 dev eth0",
        f"nsenter --target {holder.pid} --net ip link set eth0 up",
        f"nsenter --target {holder.pid} --net ip link set lo up",
        f"nsenter --target {holder.pid} --net ip route add default via 10.231.78.1",
    ):
        _run(*line.split())
    return holder


def _remove_networks() -> None:
    for line in (
        f"ip netns del {_ROUTER}",
        "ip link del edgenas-lan",
        f"nft delete table ip {_TABLE}",
    ):
        subprocess.run(line.split(), capture_output=True, check=False)


def _try(*command: str, why: str) -> None:
    """Run a command without which there is no board."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        raise SkippedError(f"{why} ({' '.join(command[:3])} ...: {last})")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
