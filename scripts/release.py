"""``make release``: build both distributions, check them as a stranger gets them, list what they stand on.

Leaves in ``dist/``: a wheel and a source distribution of ``edgenas`` and of ``edgenas-agent``, and
``sbom.json`` (CycloneDX: every package of ``.venv`` with the licence that it declares). Where the changelog
does not date the version yet, this is a rehearsal, and says so. Publishing is left to who may:
``twine upload dist/*.whl dist/*.tar.gz``.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
FOLDERS = (ROOT / "deploy" / "agent", ROOT)


class NotReleasableError(Exception):
    """What stands in the way of a release."""


def version_to_release(root: Path = ROOT) -> str:
    """Return the version that both distributions name.

    Raises:
        NotReleasableError: if the two differ.
    """
    named = {
        folder: tomllib.loads((root / folder / "pyproject.toml").read_text())["project"]["version"]
        for folder in (".", "deploy/agent")
    }
    if len(set(named.values())) != 1:
        raise NotReleasableError(f"the distributions name different versions: {named}")
    version: str = named["."]
    return version


def is_dated(version: str, root: Path = ROOT) -> bool:
    """Return whether the changelog has a section of the version with its day."""
    changelog = (root / "CHANGELOG.md").read_text()
    return re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", changelog, re.M) is not None


def unlicensed(sbom: Path) -> list[str]:
    """Return the packages of a bill of materials that declare no licence."""
    return [part["name"] for part in json.loads(sbom.read_text())["components"] if not part.get("licenses")]


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotReleasableError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def _bare_environment(folder: Path, *wheels: Path) -> Path:
    """Install wheels and what they need, compiling nothing, and return the folder of programs."""
    venv.create(folder, with_pip=True)
    pip = (folder / "bin" / "python", "-m", "pip", "install", "-q", "--only-binary", ":all:")
    _run(*pip, "-c", ROOT / "constraints.txt", *wheels)
    return folder / "bin"


def main() -> None:
    """Build, check and describe; the first fault ends with status 1."""
    try:
        version = version_to_release()
        shutil.rmtree(DIST, ignore_errors=True)
        for source in FOLDERS:
            _run(sys.executable, "-m", "build", "--outdir", DIST, source)
        _run(sys.executable, "-m", "twine", "check", "--strict", *sorted(DIST.iterdir()))
        agent, whole = (
            DIST / f"{name}-{version}-py3-none-any.whl" for name in ("edgenas_agent", "edgenas")
        )
        with tempfile.TemporaryDirectory() as folder:
            programs = _bare_environment(Path(folder) / "agent", agent)
            _run(programs / "profiler-agent", "--version")
            programs = _bare_environment(Path(folder) / "whole", agent, whole)
            if _run(programs / "edgenas", "--version").split() != ["edgenas", version]:
                raise NotReleasableError(f"edgenas --version does not print {version}")
        sbom = DIST / "sbom.json"
        cyclonedx = (sys.executable, "-m", "cyclonedx_py", "environment", "--gather-license-texts")
        _run(*cyclonedx, "--output-file", sbom, ROOT / ".venv")
    except NotReleasableError as error:
        sys.exit(str(error))
    print(
        "\n".join(
            f"{path.stat().st_size / 1024:8.0f} kB  {path.relative_to(ROOT)}"
            for path in sorted(DIST.iterdir())
        )
    )
    if nameless := unlicensed(sbom):
        print(f"No licence is declared by {', '.join(nameless)}.")
    if not is_dated(version):
        print(f"A rehearsal: before this is published, CHANGELOG.md needs '## {version} - YYYY-MM-DD'.")


if __name__ == "__main__":
    main()
