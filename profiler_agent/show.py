"""Prints devices and self-tests as tables for people."""

from collections.abc import Sequence
from dataclasses import fields

from rich.console import Console
from rich.table import Table

from profiler_agent.runtimes import HOW_TO_INSTALL_ONE
from profiler_agent.selftest.measure import RuntimeReport
from shared.protocol.device import Device


def device_table(device: Device, server: str | None, device_id: str | None) -> Table:
    """Return what a device is, what it cannot tell, and where it is enrolled."""
    table = Table(title=device.name, show_header=False)
    for field in fields(Device):
        if field.name not in ("name", "runtimes", "unknown"):
            table.add_row(field.name, _text(getattr(device, field.name)))
    runtimes = [f"{r.name} {r.version} ({', '.join(r.dtypes)})" for r in device.runtimes]
    table.add_row("runtimes", "\n".join(runtimes) or f"none; {HOW_TO_INSTALL_ONE}")
    table.add_row("cannot tell", ", ".join(device.unknown) or "-")
    table.add_row("enrolled", f"at {server} as {device_id}" if device_id else "no")
    return table


def print_selftest(console: Console, reports: Sequence[RuntimeReport]) -> None:
    """Print one row a runtime, times and counts of a run, and below what to do."""
    table = Table("runtime", "verdict", "runs", "fastest", "median", "CPU time", "switches", "page faults")
    for report in reports:
        table.add_row(
            f"{report.runtime.name} {report.runtime.version}",
            "usable" if report.is_usable else f"not usable ({report.result.status})",
            str(report.num_runs),
            _milliseconds(report.fastest_us),
            _milliseconds(report.median_us),
            _milliseconds(report.cpu_us),
            _figure(report.switches_per_run, "{:.2f}"),
            _figure(report.faults_per_run, "{:.1f}"),
        )
    console.print(table)
    for report in reports:
        for sentence in report.advice:
            console.print(f"- {report.runtime.name}: {sentence}", markup=False)


def _milliseconds(us: float | None) -> str:
    return "-" if us is None else f"{us / 1000:.3f} ms"


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_text, value)) or "unknown"
    return "unknown" if value is None else str(value)
