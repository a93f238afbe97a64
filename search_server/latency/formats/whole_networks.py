"""Whole networks that another program timed: CSV with architecture, latency_ms and perhaps device."""

import csv
import io
import math

from search_server.latency.formats.reading import ImportedFile
from search_server.resources.latencies import MeasuredLatency
from shared.architecture import parse_architecture
from shared.search_space import SearchSpace

MAX_LINES = 10_000
MAX_LATENCY_MS = 600_000.0


def read_whole_networks(file: ImportedFile) -> tuple[MeasuredLatency, ...]:
    """Return the latencies of a file, in its order; of several devices those of the one asked for.

    The file tells no error: the interval of each latency is that latency, from 0 samples.

    Raises:
        ValueError: not such a file, no space was named, or a line has no architecture of the space, no
            possible latency; the message names line and value.
    """
    space = file.require_space()
    try:
        reader = csv.DictReader(io.StringIO(file.content.decode("utf-8-sig")))
        lines = list(enumerate(reader, 2))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"not a CSV file: {error}") from error
    columns = reader.fieldnames or ()
    if not {"architecture", "latency_ms"} <= set(columns):
        raise ValueError(f"needs columns architecture and latency_ms, has {', '.join(columns) or 'none'}")
    if len(lines) > MAX_LINES:
        raise ValueError(f"at most {MAX_LINES} lines are taken, the file has {len(lines)}; split it")
    if "device" in columns:
        devices = dict.fromkeys(line["device"] for _, line in lines)
        lines = [(number, line) for number, line in lines if line["device"] == file.device]
        if not lines:
            raise ValueError(f"no line is of device {file.device!r}; they are of {', '.join(devices)}")
    if not lines:
        raise ValueError("the CSV file has no lines")
    return tuple(_latency(number, line, space, file.created_at) for number, line in lines)


def _latency(number: int, line: dict[str, str], space: SearchSpace, created_at: str) -> MeasuredLatency:
    text = line["latency_ms"] or ""
    try:
        architecture = parse_architecture(line["architecture"] or "", space)
        latency_ms = float(text)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error
    if not (math.isfinite(latency_ms) and 0 < latency_ms <= MAX_LATENCY_MS):
        raise ValueError(
            f"line {number}: latency_ms must lie above 0 and up to {MAX_LATENCY_MS:g}, got {text}"
        )
    latency_us = latency_ms * 1000
    return MeasuredLatency(
        architecture=str(architecture),
        latency_us=latency_us,
        raw_latency_us=latency_us,
        low_us=latency_us,
        high_us=latency_us,
        num_samples=0,
        measured_at=created_at,
        source="whole-network CSV",
    )
