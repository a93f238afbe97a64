"""What tools leave in the working folder (runs, crash files, caches) is not part of the project."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {
    *(".ci", ".github", "benchmarks", "deploy", "docs", "edgenas", "lab", "licenses", "profiler_agent"),
    *("scripts", "search_server", "shared", "tests"),
}


def test_no_folder_came_in_unseen() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = map(Path, listed.stdout.splitlines())
    assert {path.parts[0] for path in tracked if len(path.parts) > 1} <= FOLDERS
