"""The agent installs on a phone: nothing that needs a compiler is imported unless a runtime asks for it."""

import subprocess
import sys

_BLOCKED = ("pydantic", "pydantic_core", "fastapi", "sqlalchemy", "torch", "numpy", "onnx", "onnxruntime")

_PROGRAM = f"""
import sys
for name in {_BLOCKED}:
    sys.modules[name] = None
import profiler_agent.__main__
import profiler_agent.measuring_process
ours = [name for name in sys.modules if name.startswith("search_server")]
assert not ours, ours
"""


def test_imports_without_compiled_packages() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True)
