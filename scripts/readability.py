"""``python -m scripts.readability``: how long the sentences are that new users read, page by page."""

import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
LIMIT = 20
"""The median sentence of a page has fewer words."""

_FENCED = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4,}\S.*\n?)+", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_BLOCK_START = re.compile(r"^\s*(?:[-*+]|\d+\.)\s+", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')*_]*\s+")
_WORD = re.compile(r"[^\W_]+(?:[-'./][^\W_]+)*")


def read_pages() -> list[Path]:
    """Return the pages that new users read: README, tutorial and how-tos."""
    return [
        ROOT / "README.md",
        ROOT / "docs" / "tutorial.md",
        *sorted((ROOT / "docs" / "how-to").glob("*.md")),
    ]


def sentence_lengths(markdown: str) -> list[int]:
    """Return the number of words of each sentence; code, tables and headings are none."""
    return [length for sentence in _sentences(markdown) if (length := len(_WORD.findall(sentence)))]


def _sentences(markdown: str) -> Iterator[str]:
    prose = _INDENTED.sub("\n", _FENCED.sub("\n", markdown))
    lines = ("" if line.startswith(("#", "|")) else line for line in prose.splitlines())
    text = _BLOCK_START.sub("\n\n", "\n".join(lines))
    for block in re.split(r"\n\s*\n", _LINK.sub(r"\1", text)):
        yield from _SENTENCE_END.split(" ".join(block.split()))


def main() -> None:
    """Print the median length of each page's sentences, and the longest one."""
    for page in read_pages():
        lengths = sentence_lengths(page.read_text(encoding="utf-8"))
        note = "" if median(lengths) < LIMIT else f"   too long: the median must be below {LIMIT}"
        print(f"{median(lengths):5.1f} {max(lengths):4d}  {page.relative_to(ROOT)}{note}")


if __name__ == "__main__":
    main()
