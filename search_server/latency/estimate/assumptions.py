"""What is probable before any network is measured: every constant of the regression."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Sizes of what may be off, and which hypotheses are tried.

    Everything in units of a share is relative: 0.02 is 2 %. ``python -m lab.refit`` tells what each part is
    worth by leaving it out.
    """

    candidate_sigma: float = 0.02
    """Correction that all entries of one candidate share."""
    resolution_sigma: float = 0.01
    """Correction that all entries at one resolution share."""
    entry_sigma: float = 0.02
    """Correction of one entry alone."""
    fixed_sigma: float = 0.14
    """Correction of what stands in no layer, stem and head: they are like nothing else of a space, and how
    long a head's parameters take to be read changes from minute to minute."""
    first_sigma: float = 0.05
    """Correction that the first layer's blocks that expand share. A run begins with caches that have
    lost part of what it needs; the profile charges that to what comes first, most to the largest."""
    level_sigma: float = 0.3
    """Correction that all entries share."""
    correction_scales: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    """Factors on all of these but the level, tried one by one."""
    scale_octaves: float = 0.7
    """How far the factor probably is from 1. Where all were as probable, sixty networks asked at times for
    four times what others of the same device did, and entries followed their noise."""

    kin_sigma: float = 0.03
    """How far networks of one candidate throughout lie together beside what their entries add up to."""
    network_sigmas: tuple[float, ...] = (0.004, 0.008, 0.012, 0.02, 0.03)
    """What a network's latency has that neither entries nor changes of layout tell, tried one by one."""

    channel_blocks: tuple[int, ...] = (4, 8, 16)
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
    likely_cost_steps: tuple[float, ...] = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
    """Costs tried around what is likely, in sigmas from it."""

    shared_part: float = 0.5
    max_shared_sigma: float = 0.02
    """Half of a cover's measuring noise, up to 2 %, is what all predictions of a table may be off together
    some minutes later, which no cover can show: 0.2 % on steady devices, 1 % on restless ones, more under
    load."""


USUAL = Assumptions()
"""What tables are fitted with."""
