"""What new users read has short sentences."""

from pathlib import Path
from statistics import median

import pytest

from scripts.readability import LIMIT, read_pages, sentence_lengths


@pytest.mark.parametrize("page", read_pages(), ids=lambda page: page.name)
def test_the_median_sentence_is_short(page: Path) -> None:
    assert median(sentence_lengths(page.read_text(encoding="utf-8"))) < LIMIT


def test_words_are_counted_by_sentence() -> None:
    page = """\
# A heading is no sentence

One two three. Four [five six](page.md), `seven`!

- Eight nine
- ten 11.5 twelve-thirteen?

| a | table |
|---|---|

```bash
no sentence at all
```
"""
    assert sentence_lengths(page) == [3, 4, 2, 3]
