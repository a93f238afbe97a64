"""Structured logs on stderr: text for people on a terminal, JSON lines elsewhere.

What is bound to structlog's context variables (``request``, ``job``) stands in every line that is written
while it is bound, also in lines of libraries. Secrets of tokens never get out: whatever looks like one is
cut off at the very end.

Exceptions are logged as Python prints them. A traceback with the values of local variables would show
tokens, and takes most of a minute to render where a local is a large object.
"""

import logging
import re
import sys
from collections.abc import Sequence
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "text", "json"]
"""``auto``: text on a terminal, JSON elsewhere."""

_SECRET = re.compile(r"(edg_[a-z]+_[0-9a-f]+)_[A-Za-z0-9_-]+")


class _ToStderr(logging.Handler):
    """Writes what libraries log to what stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


def configure_logs(level: LogLevel = "info", log_format: LogFormat = "auto") -> None:
    """Send all logs of this process to stderr, those of libraries from warnings upwards."""
    is_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    begin: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    end = [*_renderers(is_text), _without_secrets]
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*begin, *end],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    _configure_libraries(begin, end, max(number, logging.WARNING))


def _renderers(is_text: bool) -> Sequence[Processor]:
    if is_text:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _configure_libraries(begin: Sequence[Processor], end: Sequence[Processor], number: int) -> None:
    handler = _ToStderr()
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*begin, structlog.stdlib.add_logger_name], processors=[remove_meta, *end]
        )
    )
    root = logging.getLogger()
    root.handlers = [*(other for other in root.handlers if not isinstance(other, _ToStderr)), handler]
    root.setLevel(number)


def _without_secrets(_: WrappedLogger, __: str, line: EventDict | str) -> str:
    """Cut the secret off each token in a rendered line; its id stays, which 'token list' knows."""
    return _SECRET.sub(r"\1_...", str(line))
