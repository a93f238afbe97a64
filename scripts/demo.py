"""``make demo``: the whole loop on this machine, with real processes, a real device, real images.

Starts a server (SQLite), a search worker and an agent; measures the latency table of ``fbnet-tiny``; runs a
search on scikit-learn's digits for a network as fast as the uniform ``k3_e3`` one; measures what it found;
prints what happened. Everything is kept in ``.demo``: a second run reuses what is valid, an interrupted one
goes on.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table
from typer import Exit

from scripts.local_services import DemoError, local_services, wait_for_device
from search_server.client import SearchClient
from search_server.client.commands import EXIT_INTERRUPTED
from search_server.client.errors import SearchClientError
from search_server.client.grid import grid
from search_server.client.job_progress import JobFailedError, job_progress
from search_server.client.search_view import files_grid, step_line
from search_server.client.show import count, facts, milliseconds, share
from search_server.client.table_view import verdict_text
from search_server.resources.found_networks import ROLE_WORDS, FoundArchitecture
from search_server.resources.searches import Search, SearchCreate, SearchStep
from search_server.resources.tables import Profile, ProfileCreate, TableSummary

SPACE = "fbnet-tiny"
UNFINISHED = ("queued", "running")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def main() -> None:
    """Run the demo and leave with status 0, or 1 and a reason."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    data = Path(os.environ.get("EDGENAS_DEMO_DATA", ".demo"))
    started_s = time.monotonic()
    try:
        with local_services(data) as (client, page_url):
            err.print(f"page: {page_url}", soft_wrap=True)
            device = wait_for_device(client)
            profile = measure_table(client, device)
            search = find_network(client, device, profile)
            table = client.table(search.snapshot or "").summary
            print_outcome(profile, table, search, time.monotonic() - started_s)
            job_page = page_url.replace("/login#", f"/login?next=/searches/{search.job.job_id}#")
            if sys.stdout.isatty() and not os.environ.get("CI"):
                out.print(f"page: {job_page}   (Ctrl-C stops it)", soft_wrap=True)
                with suppress(KeyboardInterrupt):
                    signal.pause()
            else:
                out.print(f"page: {job_page}   (start it again with: make serve)", soft_wrap=True)
    except (DemoError, SearchClientError) as error:
        err.print(f"[bold red]error:[/] {error}", soft_wrap=True)
        err.print(f"logs: {data}/*.log", soft_wrap=True)
        sys.exit(1)
    except (KeyboardInterrupt, Exit):
        err.print("stopped; nothing runs any more, and 'make demo' goes on from here")
        sys.exit(EXIT_INTERRUPTED)


def measure_table(client: SearchClient, device: str) -> Profile:
    """Return the profile whose table is accepted; a second one accepts the noise of the device."""
    for is_last in (False, True):
        accepts = is_last or has_noisy_table(client, device)
        job_id = unfinished_profile(client, device) or start_profile(client, device, accepts)
        try:
            with job_progress(lambda: None, "") as progress:
                for event in client.profile_events(job_id):
                    progress.update(event.job)
            return client.profile(job_id)
        except JobFailedError as error:
            if is_last:
                raise DemoError(f"{error}; close what else runs on this machine, then again") from error
            err.print(f"{error}; measuring again, as restless as it is", soft_wrap=True, markup=False)
    raise AssertionError("the second attempt returns or raises")


def unfinished_profile(client: SearchClient, device: str) -> str | None:
    """Return the profile that an interrupted run has left."""
    profiles = (profile.job for profile in client.profiles(device))
    return next((j.job_id for j in profiles if j.space == SPACE and j.status in UNFINISHED), None)


def has_noisy_table(client: SearchClient, device: str) -> bool:
    """Tell whether an earlier run has accepted the device's noise: its table serves again."""
    verdicts = (table.verdict for table in client.tables(device, SPACE))
    return any(verdict.is_noise_accepted for verdict in verdicts if verdict is not None)


def start_profile(client: SearchClient, device: str, accept_noise: bool) -> str:
    """Ask for a table; a valid one is reused."""
    # Shared machines are restless for minutes: the loop is shown all the same, and the verdict says so.
    return client.start_profile(ProfileCreate(device, SPACE, accept_noise=accept_noise)).job.job_id


def find_network(client: SearchClient, device: str, profile: Profile) -> Search:
    """Return a finished search at the latency of the uniform ``k3_e3`` network; reuse or resume one."""
    table = client.table(profile.snapshot or "").summary
    create = SearchCreate(
        device,
        SPACE,
        data="digits",
        target_ms=round(table.anchor_us / 1000, 4),
        epochs=14,
        train_epochs=10,
        deliver="int8",
        snapshot=table.snapshot,
    )
    earlier = next((s for s in client.searches() if s.request == create), None)
    if earlier is not None and earlier.job.status in ("failed", "cancelled"):
        earlier = client.resume_search(earlier.job.job_id)
    search = earlier or client.start_search(create)
    with job_progress(lambda: None, "") as progress:
        for event in client.search_events(search.job.job_id):
            if isinstance(event, SearchStep):
                progress.note(step_line(event, create.epochs))
            else:
                progress.update(event.job, event.stage)
    return client.search(search.job.job_id)


def print_outcome(profile: Profile, table: TableSummary, search: Search, wall_s: float) -> None:
    """Print table, search, found network and baselines, each value with what it is."""
    steps, result, verdict = search.request.epochs, search.result, table.verdict
    if result is None or result.measured_us is None or verdict is None:
        raise DemoError(f"search {search.job.job_id} ended without a measured network")
    target_us = (search.request.target_ms or 0.0) * 1000
    out.print(
        facts(
            {
                "device": f"{table.device_name}, {table.conditions}",
                "space": table.space,
                "table": f"{table.snapshot}, {table.num_measured} of {table.num_entries} entries, "
                + ("reused" if profile.is_reused else f"{profile.device_time_s:.0f} s of device time"),
                "verdict": verdict_text(verdict),
                "noise ceiling": f"{verdict.noise_ceiling:.1%}",
                "search": f"{steps} epochs on {search.request.data}, {delivered_words(search, result)}",
                "target": f"{milliseconds(target_us)} ms",
                "predicted": f"{milliseconds(result.predicted_us)} ms",
                "measured": f"{milliseconds(result.measured_us)} ms, "
                f"{result.measured_us / result.predicted_us - 1:+.1%} of predicted, "
                f"{result.measured_us / target_us - 1:+.1%} of target",
                "time": f"{wall_s:.0f} s",
            }
        )
    )
    out.print(comparison(search))
    out.print(files_grid(result.files))


def delivered_words(search: Search, result: FoundArchitecture) -> str:
    """Return what the search delivers, and where it comes from."""
    if result == search.found:
        return f"found {result.architecture}"
    return (
        f"delivers {result.architecture}, which the table alone gave: the most MACs within the target, and "
        "ahead of what was found on the validation split"
    )


def comparison(search: Search) -> Table:
    """Return the found network and its baselines, measured and trained alike."""
    rows = grid("network", ">MACs", ">predicted ms", ">measured ms", ">difference", ">test accuracy")
    for network in search.architectures:
        if network.test_accuracy is None or network.measured_us is None:
            continue  # drawn from theta and measured, but not among the finalists that were trained
        is_found, is_result = network == search.found, network == search.result
        rows.add_row(
            "found" if is_found else "runner-up" if network.role == "found" else ROLE_WORDS[network.role],
            count(network.macs),
            milliseconds(network.predicted_us),
            milliseconds(network.measured_us),
            f"{network.measured_us / network.predicted_us - 1:+.1%}",
            share(network.test_accuracy),
            style="bold" if is_result else "",
        )
    return rows


if __name__ == "__main__":
    main()
