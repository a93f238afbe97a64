"""Whole networks that another program timed: CSV with architecture, latency_ms and perhaps device."""

from search_server.latency.formats.csv_lines import CsvLine, read_csv
from search_server.latency.formats.numbers import read_number, shortened
from search_server.latency.formats.reading import ImportedFile
from search_server.resources.latencies import MeasuredLatency
from shared.architecture import parse_architecture
from shared.search_space import SearchSpace

MAX_LINES = 10_000
MAX_LATENCY_MS = 600_000.0


def read_whole_networks(file: ImportedFile) -> tuple[MeasuredLatency, ...]:
    """Return the latencies of a file, in its order; of several devices those of the one asked for.

    The file tells no error: the interval of each latency is unknown, from 0 samples.

    Raises:
        ValueError: not such a file, no space was named, or a line has no architecture of the space, no
            possible latency; the message names line and value.
    """
    space = file.require_space()
    lines = read_csv(file.content, ("architecture", "latency_ms"))
    if len(lines) > MAX_LINES:
        raise ValueError(f"at most {MAX_LINES} lines are taken, the file has {len(lines)}; split it")
    if "device" in lines[0].texts:
        devices = dict.fromkeys(line["device"] for line in lines)
        lines = [line for line in lines if line["device"] == file.device]
        if not lines:
            known = shortened(", ".join(devices))
            raise ValueError(f"no line is of device {file.device!r}; they are of {known}")
    return tuple(_latency(line, space, file.created_at) for line in lines)


def _latency(line: CsvLine, space: SearchSpace, created_at: str) -> MeasuredLatency:
    where, text = f"line {line.number}", line["latency_ms"]
    try:
        architecture = parse_architecture(line["architecture"], space)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    latency_ms = read_number(text, f"{where}: latency_ms")
    if not 0 < latency_ms <= MAX_LATENCY_MS:
        raise ValueError(f"{where}: latency_ms must lie above 0 and up to {MAX_LATENCY_MS:g}, got {text}")
    latency_us = latency_ms * 1000
    return MeasuredLatency(
        architecture=str(architecture),
        latency_us=latency_us,
        raw_latency_us=latency_us,
        low_us=None,
        high_us=None,
        num_samples=0,
        measured_at=created_at,
        source="whole-network CSV",
    )
