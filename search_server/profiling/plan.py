"""What a profile and a measurement ask of a device: items, windows, how many leases."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from search_server.latency.covers import window_architectures
from search_server.leases.artifacts import store_artifact
from search_server.model_files.model_file import model_file
from search_server.store import Store
from shared.architecture import Architecture, anchor_architecture
from shared.protocol.device import Conditions
from shared.protocol.measurement import Artifact, LeaseItem, Policy
from shared.search_space import SearchSpace

PROFILE_WINDOW_S = 2.7
MEASUREMENT_WINDOW_S = 3.25
OVERHEAD_S = 1.8
"""What loading and warming up usually add to a window; for what is said before any was measured."""
WARMUP_S = 0.2
"""Before a window; every timed run has untimed ones before it besides."""
MIN_PROFILE_LEASES = 6
"""Each in a process of its own: where models lie in memory shifts their latencies by a percent or two. Many
short windows, since each also has covers of its own."""
MAX_PROFILE_LEASES = 12
"""A table that is still not good enough after so many windows is refused."""
MAX_LOST_WINDOWS = 3
"""So many windows in a row without numbers end a profile."""
SUSTAINED_WARMUP_S = 120.0
"""Load before the first window of a ``sustained`` measurement."""
SUSTAINED_REWARM_S = 30.0
"""... and before each window that follows another at once."""
MAX_ROUNDS = 4000
"""Bounds what a lease of very small networks sends; others end with the window."""
MEASUREMENT_LEASES = 2
"""Windows for each group of networks."""
GROUP_SIZE = 12
"""Most networks in one lease beside the anchor."""
ANCHOR_ID = "anchor"


@dataclass(frozen=True, slots=True)
class ItemFactory:
    """Makes lease items, with their model files where the runtime needs one."""

    session: Session
    store: Store
    conditions: Conditions
    now: datetime

    def item(self, item_id: str, architecture: Architecture, profile_segments: bool = False) -> LeaseItem:
        """Return an item that measures a network; the id ``anchor`` makes it the anchor."""
        workload = architecture.workload()
        file = model_file(workload, self.conditions)
        artifact = store_artifact(self.session, self.store, file, self.now) if file else None
        is_anchor = item_id == ANCHOR_ID
        return LeaseItem(item_id, workload, artifact, is_anchor, profile_segments)


def profile_items(space: SearchSpace, factory: ItemFactory, window: int) -> tuple[LeaseItem, ...]:
    """Return the anchor, and the covers and families of a window."""
    covers, families = window_architectures(space, window)
    return (
        factory.item(ANCHOR_ID, anchor_architecture(space)),
        *(factory.item(item_id, cover, profile_segments=True) for item_id, cover in covers.items()),
        *(factory.item(item_id, family) for item_id, family in families.items()),
    )


def measurement_groups(
    space: SearchSpace,
    architectures: Sequence[Architecture],
    factory: ItemFactory,
    file: Artifact | None = None,
) -> list[tuple[LeaseItem, ...]]:
    """Return the items of each group: the anchor, and up to 12 networks ``net0``, ``net1`` ...

    A file stands for the one network in the place of its timing model.
    """
    anchor = factory.item(ANCHOR_ID, anchor_architecture(space))
    if file is not None:
        (network,) = architectures
        return [(anchor, LeaseItem(net_id(0), network.workload(), file))]
    nets = [factory.item(net_id(index), network) for index, network in enumerate(architectures)]
    return [(anchor, *nets[start : start + GROUP_SIZE]) for start in range(0, len(nets), GROUP_SIZE)]


def net_id(index: int) -> str:
    """Return the item id of the network at this place in a measurement's request."""
    return f"net{index}"


def policy(
    lease_index: int,
    conditions: Conditions,
    *,
    window_s: float = MEASUREMENT_WINDOW_S,
    is_first: bool = False,
    accept_noise: bool = False,
) -> Policy:
    """Return how long to measure.

    Args:
        lease_index: gives each lease of a job its own order of models and rounds.
        conditions: ``sustained`` ones load the device before.
        window_s: how long the rounds go on.
        is_first: nothing was measured right before, so that the device may be at rest.
        accept_noise: a slow or restless device is measured as it is.
    """
    usual = Policy(
        window_s=window_s,
        max_rounds=MAX_ROUNDS,
        warmup_s=WARMUP_S,
        seed=lease_index,
        accept_noise=accept_noise,
    )
    if conditions.thermal == "cold":
        return usual
    return replace(usual, warmup_s=SUSTAINED_WARMUP_S if is_first else SUSTAINED_REWARM_S)
