"""Ids that a command takes in part: a beginning or an end of at least four characters."""

import re
from dataclasses import dataclass

from search_server.client.search_client import SearchClient
from search_server.resources.ids import MIN_PART, IdKind

_WHOLE = re.compile(r"(job|model)_[0-9a-f]{22}|[0-9a-f]{16}|[0-9a-f]{64}")
_PART = re.compile(rf"((job|model)_)?[0-9a-f]{{{MIN_PART},}}")


@dataclass(frozen=True, slots=True)
class ShortId:
    """Marks an argument or option of a command as the id of such a thing, which may be given in part."""

    kind: IdKind


def whole_id(client: SearchClient, text: str, kind: IdKind) -> str:
    """Return the id that a text is a part of; a text that is none of the kind comes back as it is.

    Raises:
        ValueError: it is a part of several; the message names them.
    """
    if _WHOLE.fullmatch(text) or not _PART.fullmatch(text):
        return text
    found = client.known_ids(text, kind)
    if len(found) > 1:
        choices = "".join(f"\n  {each.id}  {each.words}" for each in found)
        raise ValueError(f"{text!r} is a part of several ids; type more of one:{choices}")
    return found[0].id if found else text
