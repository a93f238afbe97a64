"""What is probable before any network is measured: every constant of the regression."""

from dataclasses import dataclass

from search_server.latency.layouts import CHANNEL_BLOCKS


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Sizes of what may be off, and which hypotheses are tried.

    Everything in units of a share is relative: 0.02 is 2 %. ``python -m lab.refit`` tells what each part is
    worth by leaving it out.
    """

    entry_sigma: float = 0.02
    """How far an entry is probably off by itself."""
    fixed_sigma: float = 0.14
    """... besides, if it is stem or head: they are like nothing else of a space, and how long a head's
    parameters take to be read changes from minute to minute."""
    correction_scales: tuple[float, ...] = (0.5, 2.0)
    """Factors on both, tried one by one."""
    level_sigma: float = 0.3
    """How far all entries are probably off together."""

    kin_sigma: float = 0.03
    """How far networks of one candidate throughout lie together beside what their entries add up to."""
    network_sigmas: tuple[float, ...] = (0.004, 0.012, 0.03)
    """What a network's latency has that neither entries nor changes of layout tell, tried one by one."""

    channel_blocks: tuple[int, ...] = CHANNEL_BLOCKS
    """Sizes of channel blocks whose changes of layout are counted; see ``layouts.py``."""
    layout_sigma: float = 0.002
    """What a change of layout costs, in units of the anchor: 0.004 was seen where networks take half a
    millisecond, 0.001 where they take fifteen."""

    node_cost_sigma_us: float = 10.0
    """What a profiler adds to each node, at most, where nothing is known of it."""
    cost_share: float = 0.68
    cost_share_sigma: float = 0.03
    """What it probably adds, as a share of what a profiled run takes between two nodes."""
    doubt: float = 0.01
    """How probable it is that this device knows no such share."""
    num_wide_costs: int = 30
    """Costs tried from 0 up to all that a quarter of the entries have a node."""
    likely_cost_steps: tuple[float, ...] = (-1.5, 0.0, 1.5)
    """Costs tried around what is likely, in sigmas from it."""

    shared_part: float = 0.5
    max_shared_sigma: float = 0.02
    """Half of a cover's measuring noise, up to 2 %, is what all predictions of a table may be off together
    some minutes later, which no cover can show: 0.2 % on steady devices, 1 % on restless ones, more under
    load."""


USUAL = Assumptions()
"""What tables are fitted with."""
