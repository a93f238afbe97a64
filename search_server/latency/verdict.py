"""Whether a table is good enough to be used; a fact of the table that its readers share."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """Is a table good enough to be used, and why not."""

    is_accepted: bool
    reasons: tuple[str, ...]
    """What speaks against it, each with figure and limit; empty if accepted without its noise."""
    cover_scatter: float
    """Relative error of a network that was not measured, as covers predicted without them tell; their own
    noise taken out."""
    repeat_median: float
    """Median over entries of how two such tables would differ, as tables of each half of the windows tell:
    as a share of the entry, or of the mean entry where that is larger."""
    repeat_p95: float
    noise_ceiling: float
    """Relative error that even a perfect table would show on this device, from repeated runs."""
    anchor_spread: float
    """Median over minimum of the anchor's runs."""
    notes: tuple[str, ...] = ()
    """What else should be known, such as runs on other cores than were asked for."""
    is_noise_accepted: bool = False
    """The device was too restless, as ``reasons`` and ``notes`` say, and who measured it accepted that."""

    @property
    def word(self) -> str:
        """In a word or two whether the table may be used."""
        if self.is_noise_accepted:
            return "accepted with its noise"
        return "accepted" if self.is_accepted else "not accepted"
