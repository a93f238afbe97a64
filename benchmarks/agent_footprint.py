"""What an agent takes of its device: time to install and to start, memory and processor time at rest.

A server of this machine, an environment that is made anew, the agent installed as the one line does it:
pinned dependencies, then the wheel from the server. Start, memory and rest are measured twice, without any
runtime and with ONNX Runtime, whose installation is not timed. Aims: 30 s, 2 s, 60 MB, nothing measurable.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import figures_parser, print_figures, say
from scripts.local_services import create_token, running_server, user_token
from search_server.client import SearchClient

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SETTLE_S = 5.0


def main() -> None:
    """Install, start and watch an agent; print the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--idle-s", type=float, default=60.0, help="how long it is watched (60)")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="edgenas-footprint-") as folder,
        running_server(Path(folder) / "server") as url,
    ):
        figures = _footprint(Path(folder), url, arguments.idle_s)
    print_figures({"benchmark": "agent_footprint", "idle_s": arguments.idle_s, **figures})


def _footprint(folder: Path, url: str, idle_s: float) -> dict[str, Any]:
    python, data = folder / "venv/bin/python", folder / "agent"
    began_s = time.monotonic()
    _run(sys.executable, "-m", "venv", str(python.parents[1]))
    script = subprocess.check_output(["curl", "-fsS", f"{url}/install/agent.sh"], text=True)
    wheel = next(line.partition("=")[2] for line in script.splitlines() if line.startswith("wheel="))
    pip = (str(python), "-m", "pip", "install", "--quiet", "--no-cache-dir")
    _run(*pip, "-r", f"{url}/install/requirements.txt")
    _run(*pip, "--no-deps", f"{url}/install/{wheel}")
    figures: dict[str, Any] = {"install_s": time.monotonic() - began_s}
    say(f"installed in {figures['install_s']:.1f} s")
    site = next((python.parents[1] / "lib").glob("python*/site-packages"))
    figures["num_compiled_files"] = len([*site.rglob("*.so"), *site.rglob("*.pyd")])
    figures["installed_mb"] = sum(file.stat().st_size for file in site.rglob("*") if file.is_file()) / 1e6
    agent = str(python.with_name("profiler-agent"))
    environment = {**os.environ, "EDGENAS_ENROLMENT_TOKEN": create_token(folder / "server", "enrol")}
    _run(agent, "enrol", url, "--data", str(data), "--name", "footprint", env=environment)
    figures["without_runtime"] = _watch(agent, data, url, folder, idle_s)
    _run(*pip, "onnxruntime", "numpy")
    figures["with_onnxruntime"] = _watch(agent, data, url, folder, idle_s)
    return figures


def _watch(agent: str, data: Path, url: str, folder: Path, idle_s: float) -> dict[str, float]:
    """Start the agent and return how long it took to reach its server, and what it takes while it waits."""
    with SearchClient(url, user_token(folder / "server")) as client:
        before = next(client.devices()).last_seen_at
        began_s = time.monotonic()
        process = subprocess.Popen(
            [agent, "run", "--server", url, "--data", str(data)], stderr=subprocess.DEVNULL
        )
        try:
            while next(client.devices()).last_seen_at == before:
                time.sleep(0.01)
            start_s = time.monotonic() - began_s
            time.sleep(_SETTLE_S)
            cpu_before_s = _cpu_s(process.pid)
            time.sleep(idle_s)
            cpu_s = _cpu_s(process.pid) - cpu_before_s
            resident_mb = _resident_mb(process.pid)
        finally:
            process.terminate()
            process.wait()
    say(f"started in {start_s:.2f} s, {resident_mb:.1f} MB resident, {cpu_s:.2f} s of {idle_s:g} s")
    return {"start_s": start_s, "resident_mb": resident_mb, "idle_cpu_s": cpu_s}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr.strip()}")


if __name__ == "__main__":
    main()
