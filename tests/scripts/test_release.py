"""What may be released: one version, dated in the changelog; and which packages declare no licence."""

import json
import shutil
from pathlib import Path

import pytest

from scripts.release import ROOT, NotReleasableError, is_dated, unlicensed, version_to_release


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files that tell a version, as version 7.1.0 of 2030-01-02."""
    (tmp_path / "deploy/agent").mkdir(parents=True)
    for name in ("pyproject.toml", "deploy/agent/pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text.replace('\nversion = "0.1.0"', '\nversion = "7.1.0"'))
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 7.1.0 - 2030-01-02\n")
    return tmp_path


def test_the_version_is_the_one_that_is_named_twice_and_dated(tree: Path) -> None:
    assert version_to_release(tree) == "7.1.0"
    assert is_dated("7.1.0", tree)


def test_an_undated_version_is_a_rehearsal(tree: Path) -> None:
    (tree / "CHANGELOG.md").write_text("# Changelog\n\n## 7.1.0 (unreleased)\n\n## 7x1.0 - 2030-01-02\n")
    assert not is_dated("7.1.0", tree)


def test_a_package_without_a_licence_is_named(tmp_path: Path) -> None:
    parts = [{"name": "free", "licenses": [{"license": {"id": "MIT"}}]}, {"name": "bare"}]
    (tmp_path / "sbom.json").write_text(json.dumps({"components": parts}))
    assert unlicensed(tmp_path / "sbom.json") == ["bare"]


def test_two_versions_are_refused(tree: Path) -> None:
    shutil.copy(ROOT / "deploy/agent/pyproject.toml", tree / "deploy/agent/pyproject.toml")
    with pytest.raises(NotReleasableError, match="different versions"):
        version_to_release(tree)
