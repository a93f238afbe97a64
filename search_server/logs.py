"""Structured logs on stderr: for people on a terminal, JSON lines elsewhere.

Exceptions are logged as Python prints them. A traceback with the values of local variables would show
tokens, and takes most of a minute to render where a local is a large object.
"""

import logging
import sys

import structlog
from structlog.typing import Processor


def configure_logs() -> None:
    """Send all logs of this process to stderr."""
    renderers: list[Processor] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    if sys.stderr.isatty():
        renderers = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
