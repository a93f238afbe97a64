"""``make docs``: gather the pages, write the reference from the code, build the book and check its links.

The pages lie where a reader of the repository looks for them: README, ``docs/``, ``lab/``. The generator
takes one folder, so they are copied into one, places kept: a link works in both. Pages that the code alone
can tell (commands, REST, Python) are written there and nowhere else: they cannot be out of date.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from scripts.reference_pages import commands_page, python_page, rest_page

ROOT = Path(__file__).parents[1]
BOOK = ROOT / ".book"
LINKED = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE",
    "docker-compose.yml",
    "docs",
    "lab",
    "licenses",
)
"""What pages are, and what they link to."""


def gather(pages: Path) -> None:
    """Copy the pages into one folder, and write those of the reference beside them."""
    shutil.rmtree(pages, ignore_errors=True)
    names = subprocess.run(
        ["git", "ls-files", "-z", *LINKED], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, names.split("\0")):
        target = pages / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    reference = pages / "docs" / "reference"
    (reference / "commands.md").write_text(commands_page(), encoding="utf-8")
    (reference / "python.md").write_text(python_page(), encoding="utf-8")
    (reference / "rest.md").write_text(rest_page(), encoding="utf-8")


def main() -> None:
    """Build the book; a link that leads nowhere ends with status 1."""
    gather(BOOK / "pages")
    command = [Path(sys.executable).parent / "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    print(f"The book: {BOOK / 'site' / 'index.html'}")


if __name__ == "__main__":
    main()
