"""Some classes of a data set: named, or drawn, as the paper's 100 of the 1,000 of ImageNet."""

from collections.abc import Sequence

import torch

from search_server.nas.data.images import ImageSource


def choose_classes(
    known: Sequence[str], num_classes: int | None, names: Sequence[str], seed: int
) -> tuple[str, ...]:
    """Return the classes to keep, in their order in the data.

    Args:
        known: all classes.
        num_classes: how many to draw; None: all, or ``names``.
        names: the classes to keep; empty: all, or ``num_classes`` of them.
        seed: of the drawing.

    Raises:
        ValueError: there are not so many classes, or a name is none of them.
    """
    if names:
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise ValueError(
                f"the data has no class {', '.join(unknown[:5])}; its {len(known)} classes are "
                f"{', '.join(known[:10])}{', ...' if len(known) > 10 else ''}"
            )
        return tuple(name for name in known if name in set(names))
    if num_classes is None:
        return tuple(known)
    if num_classes > len(known):
        raise ValueError(f"num_classes is {num_classes}, but the data has {len(known)} classes")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(known), generator=generator)[:num_classes].sort().values
    return tuple(known[index] for index in drawn.tolist())


def keep_classes(source: ImageSource, names: Sequence[str]) -> ImageSource:
    """Return the images of some classes, which are numbered anew in this order."""
    if tuple(names) == source.class_names:
        return source
    numbers = {name: number for number, name in enumerate(names)}
    number_of_label = torch.tensor([numbers.get(name, -1) for name in source.class_names])
    labels_N = number_of_label[source.labels_N]
    kept = (labels_N >= 0).nonzero().flatten()
    return source.select(kept.tolist()).with_classes(labels_N[kept], tuple(names))
