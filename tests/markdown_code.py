"""The code blocks of a page of the documentation, so that tests can run what the page says."""

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def code_blocks(page: str, language: str) -> list[str]:
    """Return the blocks of one language in the order of the page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
