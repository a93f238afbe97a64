"""The public package: all of it is there, typed, and loads nothing before it is asked for."""

import ast
from pathlib import Path

import pytest

import edgenas
from tests.boundaries.test_imports import COMPILED, run_without


def test_the_stub_and_the_module_name_the_same_things_of_the_same_files() -> None:
    stub = ast.parse(Path(edgenas.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    assert [name.name for node in imports for name in node.names] != []
    for node in imports:
        (name,) = node.names
        assert edgenas.__all__.count(name.name) == 1
        assert getattr(edgenas, name.name).__module__.startswith(node.module or "")
    assert len(edgenas.__all__) == len(imports)


def test_only_a_search_loads_torch() -> None:
    light = "from edgenas import SearchClient, SearchOptions, parse_architecture, search_space"
    done = run_without(COMPILED, f"{light}; SearchOptions(target_ms=1.0); search_space('fbnet-tiny')")
    assert done.returncode == 0, done.stderr
    assert run_without({"torch"}, "import edgenas; edgenas.LatencyTable").returncode == 0
    assert "torch must not be imported here" in run_without({"torch"}, "from edgenas import search").stderr


def test_an_unknown_name_lists_those_that_there_are() -> None:
    with pytest.raises(AttributeError, match=r"edgenas has no 'sarch'; it has .*, search, "):
        edgenas.sarch  # type: ignore[attr-defined]  # noqa: B018
