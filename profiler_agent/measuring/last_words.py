"""Which line of what a program wrote to standard error tells why it ended.

Runtimes write there what they do, too: LiteRT says for each model which delegate it made. Such lines tell
no cause, so they are never quoted for one.
"""

import re

_MAX_CHARACTERS = 300

_REMARK = re.compile(
    r"(INFO|VERBOSE|DEBUG|WARNING)\b"  # LiteRT, Python's logging
    r"|[IVDW]\d{4} \d\d:\d\d:\d\d"  # Abseil, glog: I0000 00:00:1764330000.123456  4242 file.cc:42] ...
    r"|.{0,80}\[[IVDW]:onnxruntime:"  # ONNX Runtime, behind a time in colours
)


def last_words(written: bytes) -> str:
    """Return the last line that may tell a cause; empty if there is none."""
    words, is_remark = "", False
    for line in map(_printable, written.decode(errors="replace").splitlines()):
        if not line.startswith("└"):  # else LiteRT goes on with the line before
            is_remark = _REMARK.match(line) is not None
        if line and not is_remark:
            words = line.lstrip("└ ")
    return words[:_MAX_CHARACTERS]


def _printable(line: str) -> str:
    """Return a line without what no message may hold: emulators and native code write NULs, too."""
    return "".join(character if character.isprintable() else " " for character in line).strip()
