"""Does a search hold its budget? Five targets across the range of a space, through the real services.

Server, worker and agent run on this machine as in ``make demo`` (space ``fbnet-tiny``, digits, short
searches: what is asked of them is latency). Each found network is measured once more afterwards: the
search has chosen by its own measurements, so those flatter it.
"""

import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import figures_parser, print_figures, say
from scripts.demo import SPACE, measure_table
from scripts.local_services import local_services, wait_for_device
from search_server.client import SearchClient
from search_server.latency.table import LatencyTable
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.searches import SearchCreate

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of the way from the fastest network of the space to the slowest, as the table predicts them."""
NEAR = 0.03
TOLERATED = 0.05
"""A found network may be so much slower than its target, at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one target led to."""

    target_ms: float
    predicted_ms: float
    verified_ms: float
    """As the search measured it."""
    measured_ms: float
    """As measured afterwards."""

    @property
    def of_target(self) -> float:
        return self.measured_ms / self.target_ms - 1


def main() -> None:
    """Search for each target; print a row each and the figures as JSON."""
    parser = figures_parser(__doc__)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--out", type=Path, help="a folder that keeps everything, and from which to go on")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it ends the services too
    with tempfile.TemporaryDirectory(prefix="edgenas-bench-") as folder:
        outcomes = outcomes_of_targets(arguments.out or Path(folder), arguments.epochs)
    if not arguments.json:
        print_outcomes(outcomes)
    differences = [outcome.of_target for outcome in outcomes]
    print_figures(
        {
            "benchmark": "budget",
            "space": SPACE,
            "num_targets": len(outcomes),
            "num_within_3": sum(abs(difference) <= NEAR for difference in differences),
            "num_above_5": sum(difference > TOLERATED for difference in differences),
            "of_target": differences,
            "target_ms": [outcome.target_ms for outcome in outcomes],
            "measured_ms": [outcome.measured_ms for outcome in outcomes],
            "verified_ms": [outcome.verified_ms for outcome in outcomes],
            "predicted_ms": [outcome.predicted_ms for outcome in outcomes],
        }
    )


def outcomes_of_targets(folder: Path, epochs: int) -> list[Outcome]:
    """Return what each target leads to: table, five searches, one measuring of all that they found."""
    with local_services(folder) as (client, _):
        device = wait_for_device(client)
        snapshot = measure_table(client, device).snapshot or ""
        table = LatencyTable.from_json(client.export_table(snapshot, "json"))
        fastest_us, slowest_us = table.latency_range_us()
        targets_ms = [round((fastest_us + share * (slowest_us - fastest_us)) / 1e3, 4) for share in SHARES]
        found = [
            found_network(
                client,
                SearchCreate(
                    device,
                    SPACE,
                    data="digits",
                    target_ms=target_ms,
                    epochs=epochs,
                    warmup_epochs=1,
                    train_epochs=1,
                    snapshot=snapshot,
                    compare_baselines=False,
                ),
            )
            for target_ms in targets_ms
        ]
        measured_us = measured_again(client, device, [network.architecture for network in found])
    return [
        Outcome(
            target_ms,
            network.predicted_us / 1e3,
            (network.measured_us or 0.0) / 1e3,
            measured_us[network.architecture] / 1e3,
        )
        for target_ms, network in zip(targets_ms, found, strict=True)
    ]


def found_network(client: SearchClient, create: SearchCreate) -> FoundArchitecture:
    """Return what a search found; one that an earlier call on the same folder finished is not repeated.

    Raises:
        SystemExit: the search failed; the message says why.
    """
    earlier = (search for search in client.searches() if search.request == create and search.result)
    search = next(earlier, None) or client.start_search(create)
    if search.result is None:
        say(f"searching for {create.target_ms} ms")
        for _ in client.search_events(search.job.job_id):
            pass
        search = client.search(search.job.job_id)
    if search.result is None:
        raise SystemExit(f"the search for {create.target_ms} ms ended without a network: {search.job}")
    return search.result


def measured_again(client: SearchClient, device: str, networks: Sequence[str]) -> dict[str, float]:
    """Return the latency of each network in microseconds, all measured in one job."""
    job_id = client.start_measurement(MeasurementCreate(device, SPACE, tuple(networks))).job.job_id
    for _ in client.measurement_events(job_id):
        pass
    return {latency.architecture: latency.latency_us for latency in client.measurement(job_id).latencies}


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print a row a target."""
    print(f"{'target ms':>10}{'predicted':>11}{'verified':>10}{'measured again':>16}{'of target':>11}")
    for outcome in outcomes:
        print(
            f"{outcome.target_ms:>10.4f}{outcome.predicted_ms:>11.4f}{outcome.verified_ms:>10.4f}"
            f"{outcome.measured_ms:>16.4f}{outcome.of_target:>+11.1%}"
        )


if __name__ == "__main__":
    main()
