"""What the explanation of the search names is in the code, where it says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "search.md"
NAMED = re.findall(r"`([A-Za-z_.]+)` in `([a-z_/]+\.py)`", PAGE.read_text(encoding="utf-8"))


def test_the_page_names_code() -> None:
    assert len(NAMED) >= 10


@pytest.mark.parametrize(("name", "path"), NAMED)
def test_a_name_is_where_the_page_says(name: str, path: str) -> None:
    code = (ROOT / "search_server" / path).read_text(encoding="utf-8")
    for part in name.split("."):
        assert re.search(rf"(def|class) {part}\b", code), f"{path} has no {part}"
