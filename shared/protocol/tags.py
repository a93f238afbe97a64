"""Tags: short words by which several devices are chosen at once."""

import re
from collections.abc import Sequence

MAX_TAGS = 32
"""Of one device."""

_TAG = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return tags in order, each once.

    Raises:
        ValueError: one has another form, or there are too many.
    """
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise ValueError(
                f"a tag has 1 to 32 small letters, digits, '.', '_' and '-' and begins with a letter or "
                f"digit, got {tag[:40]!a}"
            )
    found = tuple(sorted(set(tags)))
    if len(found) > MAX_TAGS:
        raise ValueError(f"a device has at most {MAX_TAGS} tags, got {len(found)}")
    return found
