"""Loaders of images for a search without a server."""

from search_server.nas.data.batches import Batches, search_batches
from search_server.nas.data.data_sets import load_data
from shared.search_space import SearchSpace


def image_batches(
    data: str, space: SearchSpace, batch_size: int = 64, seed: int = 0
) -> tuple[Batches, Batches]:
    """Return the loaders of a search: images that train weights, and other images that train theta.

    Args:
        data: ``digits``, ``hf:NAME[:CONFIG]`` of the Hugging Face hub, or a folder.
        space: gives the resolution and the number of classes.
        batch_size: images of a batch.
        seed: of the splits, and of the order of the images.

    Raises:
        ValueError: there is no such data set, or it has another number of classes than the space.
    """
    splits = load_data(data, space.resolution, seed)
    splits.require_fit(space.num_classes, space.name)
    return search_batches(splits, batch_size, seed)
