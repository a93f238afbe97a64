"""Resolve constraints.txt anew from both pyproject files; torch and what it needs are pinned by hand.

A resolver would choose a torch build with CUDA. torch is therefore left out of the resolution, its few
pure Python dependencies are added by name, and its pin is written as it stands below.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

TORCH_PIN = "torch==2.13.0"
TORCH_NEEDS = ("filelock", "fsspec", "jinja2", "networkx", "setuptools", "sympy", "typing-extensions")
ROOT = Path(__file__).parent.parent


def main() -> None:
    """Write constraints.txt with ``uv pip compile``."""
    groups = [TORCH_NEEDS]
    for folder in (ROOT, ROOT / "deploy/agent"):
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        groups += [project["dependencies"], *project["optional-dependencies"].values()]
    left_out = ("torch", "edgenas-agent")  # pinned by hand; lies here
    wanted = sorted({line for group in groups for line in group if not line.startswith(left_out)})
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "requirements.in"
        source.write_text("\n".join(wanted))
        command = ["uv", "pip", "compile", "--no-header", "--no-annotate", "--python-version", "3.11"]
        done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"uv could not resolve (is it installed? pip install uv): {done.stderr}")
    pins = sorted([*done.stdout.split(), TORCH_PIN], key=str.lower)
    (ROOT / "constraints.txt").write_text("\n".join(pins) + "\n")


if __name__ == "__main__":
    main()
