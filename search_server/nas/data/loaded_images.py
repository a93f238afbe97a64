"""What a loader found: training images, test images, and what is to be told of them."""

from dataclasses import dataclass

from search_server.nas.data.images import ImageSource


@dataclass(frozen=True, slots=True)
class LoadedImages:
    """Labelled images before they are split."""

    train: ImageSource
    test: ImageSource | None = None
    """None: a part of the training images is set apart for testing."""
    notes: tuple[str, ...] = ()
    """What is not read and why, a sentence each."""
