"""What a table from outside may say, so that whatever lists or shows it later never breaks on it. Pure."""

import math
import re
from collections.abc import Iterator
from datetime import datetime

from search_server.latency.table import LatencyTable

MAX_SOURCE = 200
MAX_WORD = 60
MAX_REASON = 2000
MAX_SAMPLES = 10**9
MAX_SIGMA_US = 60e6
MAX_NETWORK_SIGMA = 10.0
MAX_EFFECT = 10.0
"""Of neighbours: a share of a network, or units of the anchor."""
MAX_BLOCK = 1024
MAX_TEXTS = 100

_KEY = re.compile(r"[0-9a-f]{16}")


def require_bounded(table: LatencyTable) -> None:
    """Return if every text and number beside the latencies is within its limit.

    Raises:
        ValueError: one is not; the message names field, value and limit.
    """
    _text("source", table.source, MAX_SOURCE)
    _text("conditions.runtime_version", table.conditions.runtime_version or "any", MAX_WORD)
    _moment(table.created_at)
    if len(table.conditions.cores) > MAX_BLOCK or max(table.conditions.cores, default=0) >= MAX_BLOCK:
        raise ValueError(f"conditions.cores must be up to {MAX_BLOCK} numbers below {MAX_BLOCK}")
    for field, text in _verdict_texts(table):
        _text(field, text, MAX_REASON)
    for field, value, low, high in _numbers(table):
        if not low <= value <= high:
            raise ValueError(f"{field} must lie in {low:g}..{high:g}, got {value:g}")


def _verdict_texts(table: LatencyTable) -> Iterator[tuple[str, str]]:
    if table.verdict is None:
        return
    for name, texts in (("reasons", table.verdict.reasons), ("notes", table.verdict.notes)):
        if len(texts) > MAX_TEXTS:
            raise ValueError(f"verdict.{name} must be at most {MAX_TEXTS} sentences, got {len(texts)}")
        yield from ((f"verdict.{name}", text) for text in texts)


def _numbers(table: LatencyTable) -> Iterator[tuple[str, float, float, float]]:
    """Yield field, value, least and most."""
    yield "network_sigma", table.network_sigma, 0, MAX_NETWORK_SIGMA
    neighbours = table.neighbours
    yield "neighbours.sameness_effect", neighbours.sameness_effect, -MAX_EFFECT, MAX_EFFECT
    yield "number of neighbours.layout_costs", len(neighbours.layout_costs), 0, MAX_TEXTS
    for cost in neighbours.layout_costs:
        yield "neighbours.layout_costs.channel_block", cost.channel_block, 1, MAX_BLOCK
        yield "neighbours.layout_costs.latency_units", cost.latency_units, -MAX_EFFECT, MAX_EFFECT
    if table.verdict is not None:
        for name in ("cover_scatter", "repeat_median", "repeat_p95", "noise_ceiling", "anchor_spread"):
            yield f"verdict.{name}", getattr(table.verdict, name), -1e9, 1e9
    for key, entry in table.entries.items():
        if not _KEY.fullmatch(key):
            raise ValueError(f"an entry's key must be 16 hex digits, got {key[:MAX_WORD]!a}")
        _text(f"entry {key}: status", entry.status, MAX_WORD)
        sigma_us = (entry.sigma_units or 0.0) * table.anchor_us
        yield f"entry {key}: latency_units", entry.latency_units, -math.inf, math.inf
        yield f"entry {key}: sigma_us", sigma_us, 0, MAX_SIGMA_US
        yield f"entry {key}: num_samples", entry.num_samples, 0, MAX_SAMPLES


def _text(field: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise ValueError(f"{field} must have at most {limit} characters, got {len(text)}")
    if not text.isprintable():
        raise ValueError(f"{field} must hold printable characters only, got {text[:MAX_WORD]!a}")


def _moment(text: str) -> None:
    try:
        has_zone = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        has_zone = False
    if not has_zone:
        raise ValueError(
            f"created_at must be a time with its zone such as 2026-01-31T12:00:00+00:00, got "
            f"{text[:MAX_WORD]!a}"
        )
