"""What may import what, and what must run on a phone without compiled packages."""

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} must not be imported here")

sys.meta_path.insert(0, Blocker())
"""

COMPILED = {"torch", "sqlalchemy", "fastapi", "pydantic", "numpy", "onnx", "onnxruntime", "sklearn", "PIL"}
COMPILED |= {"pyarrow", "yaml"}

MODULES_OF_A_PHONE = [
    "shared.operators, shared.workload, shared.blocks, shared.search_space, shared.architecture",
    "shared.protocol.device, shared.protocol.measurement, shared.protocol.wire",
    "shared.protocol.call_agent, shared.protocol.call_server",
    "profiler_agent.__main__, profiler_agent.agent",
    "profiler_agent.carriers.listen, profiler_agent.carriers.dial_out",
    "profiler_agent.measuring.lease, profiler_agent.measuring.process, profiler_agent.runtimes",
    "profiler_agent.measuring.simulated_process",
]


def run_without(blocked: set[str], statement: str) -> "subprocess.CompletedProcess[str]":
    script = BLOCKER.format(blocked=blocked) + statement
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("modules", MODULES_OF_A_PHONE)
def test_the_phone_needs_no_compiled_package(modules: str) -> None:
    done = run_without(COMPILED, f"import {modules}")
    assert done.returncode == 0, done.stderr


def test_the_client_needs_no_server_package() -> None:
    done = run_without(COMPILED, "import search_server.client, search_server.client.cli")
    assert done.returncode == 0, done.stderr


def test_the_search_needs_no_server_package() -> None:
    statement = "import search_server.nas.search, search_server.nas.train, search_server.nas.data.data_sets"
    done = run_without({"sqlalchemy", "fastapi", "pydantic", "onnx", "onnxruntime"}, statement)
    assert done.returncode == 0, done.stderr


def test_the_server_needs_no_torch() -> None:
    statement = "import search_server.__main__ as main; main.command_line()"
    done = run_without({"torch", "sklearn"}, statement)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["token list", "user list", "migrate"])
def test_a_command_of_an_operator_needs_nothing_of_the_server(command: str, tmp_path: Path) -> None:
    # A migration computes with numpy, and all migrations are read to see whether one lacks.
    heavy = {"fastapi", "starlette", "uvicorn", "scipy", "pyarrow", "onnx", "httpx", "torch"}
    arguments = [*command.split(), "--data", str(tmp_path)]
    statement = f"import sys; sys.argv[1:] = {arguments!r}; import search_server.__main__ as m; m.main()"
    done = run_without(heavy, statement)
    assert done.returncode == 0, done.stderr


def test_the_blocker_blocks() -> None:
    done = run_without({"torch"}, "import torch")
    assert "torch must not be imported here" in done.stderr


def test_the_import_contracts_hold() -> None:
    assert lint_imports(no_cache=True) == 0
