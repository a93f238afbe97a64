"""Batches of augmented images in an order that depends on seed and epoch alone.

An epoch's order and augmentation come from a generator seeded by (seed, epoch), so the state to resume
from is one number, and decoding files in several threads gives the same batches as decoding in one.

Shape letters: N batch, C channels, H height, W width.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor
from torch.nn import functional as F

from search_server.nas.data.crops import draw_crops
from search_server.nas.data.images import DataSplits, ImageFiles, ImageSource
from search_server.nas.shards import Shards
from shared.normalisation import MEAN, STD

Batch = tuple[Tensor, Tensor]
"""float32 images ``(N, 3, H, W)`` and int64 labels ``(N,)``."""

CROP_RESOLUTION = 64


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random shift with zero padding, or random parts of the images; and random mirroring."""

    shift: float = 0.125
    """Largest shift as a share of the image's side."""
    mirror: bool = False
    crops: bool = False
    """Random resized crops in place of shifts: ``crops.py``; done where the images are read."""

    def __call__(
        self, images_NCHW: Tensor, generator: torch.Generator, is_own_N: Tensor | None = None
    ) -> Tensor:
        """Return uint8 images of the same shape, each with its own draw.

        Args:
            images_NCHW: all images of a batch, or some.
            generator: draws for all of them, so that an image has its own draw in whatever part it is.
            is_own_N: which images of the batch these are, bool; None: all.
        """
        num, _, height, width = images_NCHW.shape
        own_N = torch.ones(num, dtype=torch.bool) if is_own_N is None else is_own_N
        pad = 0 if self.crops else round(self.shift * height)
        if pad:
            padded = F.pad(images_NCHW, (pad, pad, pad, pad))
            top_N = torch.randint(2 * pad + 1, (len(own_N), 1), generator=generator)[own_N]
            left_N = torch.randint(2 * pad + 1, (len(own_N), 1), generator=generator)[own_N]
            rows_NH = top_N + torch.arange(height)
            columns_NW = left_N + torch.arange(width)
            index_N = torch.arange(num)[:, None, None]
            padded_NHWC = padded.permute(0, 2, 3, 1)
            images_NHWC = padded_NHWC[index_N, rows_NH[:, :, None], columns_NW[:, None, :]]
            images_NCHW = images_NHWC.permute(0, 3, 1, 2)
        if self.mirror:
            is_mirrored_N = torch.rand(len(own_N), generator=generator)[own_N] < 0.5
            images_NCHW = torch.where(is_mirrored_N[:, None, None, None], images_NCHW.flip(3), images_NCHW)
        return images_NCHW


class Batches:
    """An iterable over batches; each ``iter()`` begins the next epoch."""

    def __init__(
        self,
        source: ImageSource,
        batch_size: int,
        seed: int,
        *,
        augmentation: Augmentation | None = None,
        shuffles: bool = True,
        num_threads: int | None = None,
        is_own_N: Tensor | None = None,
    ) -> None:
        """Prepare epochs over a source.

        Args:
            source: the images.
            batch_size: images per batch; a smaller last batch is left out where order is random.
            seed: of order and augmentation.
            augmentation: None for images as they are.
            shuffles: random order, a new one each epoch.
            num_threads: that decode ``ImageFiles`` ahead, a batch each; None: up to eight. Threads, not
                processes: Pillow decodes without the interpreter's lock, and no shared memory is needed.
            is_own_N: which images of each batch are had, bool ``(batch_size,)``; None: all. An image of a
                part is augmented as in the whole batch. Parts need random order.

        Raises:
            ValueError: the source is empty.
        """
        if not len(source.labels_N):
            raise ValueError("there are no images to make batches of")
        self.source = source
        self.batch_size = min(batch_size, len(source.labels_N))
        self.is_own_N = is_own_N
        self.seed = seed
        self.augmentation = augmentation
        self.shuffles = shuffles
        self.num_threads = num_threads or min(8, os.cpu_count() or 1)
        self.epoch = 0

    def __len__(self) -> int:
        num_images = len(self.source.labels_N)
        return num_images // self.batch_size if self.shuffles else -(-num_images // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        self.epoch += 1
        num_images = len(self.source.labels_N)
        order = (
            torch.randperm(num_images, generator=generator) if self.shuffles else torch.arange(num_images)
        )
        chunks = [
            (batch if self.is_own_N is None else batch[self.is_own_N]).tolist()
            for batch in torch.split(order, self.batch_size)[: len(self)]
        ]
        crops_N4 = None
        if self.augmentation is not None and self.augmentation.crops:
            crops_N4 = draw_crops(num_images, generator)
        for images_NCHW, labels_N in self._load(chunks, crops_N4):
            if self.augmentation is not None:
                images_NCHW = self.augmentation(images_NCHW, generator, self.is_own_N)
            yield normalise(images_NCHW), labels_N

    def state_dict(self) -> dict[str, int]:
        """Return the epochs begun so far."""
        return {"epoch": self.epoch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on as if ``state['epoch']`` epochs had been begun."""
        self.epoch = state["epoch"]

    def _load(self, chunks: list[list[int]], crops_N4: Tensor | None) -> Iterator[Batch]:
        if not isinstance(self.source, ImageFiles):
            for chunk in chunks:
                yield self._read(chunk, crops_N4)
            return
        with ThreadPoolExecutor(self.num_threads) as pool:
            ahead: deque[Future[Batch]] = deque()
            for chunk in chunks:
                ahead.append(pool.submit(self._read, chunk, crops_N4))
                if len(ahead) > self.num_threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _read(self, chunk: list[int], crops_N4: Tensor | None) -> Batch:
        crops = None if crops_N4 is None else crops_N4[chunk]
        return self.source.images(chunk, crops), self.source.labels_N[torch.as_tensor(chunk)]


class ShardedBatches:
    """The parts of the same batches for the shards of one process, in turn; iterable over epochs too."""

    def __init__(self, parts: Sequence[Batches]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        """Return the number of batches of an epoch, which are whole over all shards."""
        return len(self.parts[0])

    def __iter__(self) -> Iterator[Batch]:
        return chain.from_iterable(zip(*self.parts, strict=True))

    def state_dict(self) -> dict[str, int]:
        """Return the epochs begun so far."""
        return self.parts[0].state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on as if ``state['epoch']`` epochs had been begun."""
        for part in self.parts:
            part.load_state_dict(state)


def normalise(images_NCHW: Tensor) -> Tensor:
    """Return uint8 images as float32 around 0."""
    return images_NCHW.float().mul_(1 / (255 * STD)).sub_(MEAN / STD)


def training_batches(
    source: ImageSource, batch_size: int, seed: int, is_own_N: Tensor | None = None
) -> Batches:
    """Return shuffled, augmented batches.

    Small images are shifted, and mirrored where the data allows it. Photographs of ``CROP_RESOLUTION``
    and more are trained on as in ImageNet's recipes: random parts, at full size, mirrored.
    """
    may_crop = source.mirrors if source.crops is None else source.crops
    crops = may_crop and source.resolution >= CROP_RESOLUTION
    augmentation = Augmentation(mirror=source.mirrors, crops=crops)
    return Batches(source, batch_size, seed, augmentation=augmentation, is_own_N=is_own_N)


def equal_part(source: ImageSource, batch_size: int, seed: int, part: int, num_parts: int) -> Batches:
    """Return a part of training batches; all have as many images, and what is left over is left out.

    Raises:
        ValueError: a batch has fewer images than parts.
    """
    size = min(batch_size, len(source.labels_N)) // num_parts
    if not size:
        raise ValueError(f"a batch of {batch_size} images has no part for each of {num_parts} shards")
    return training_batches(source, size * num_parts, seed, torch.arange(size * num_parts) // size == part)


def paired_part(source: ImageSource, batch_size: int, seed: int, part: int, num_parts: int) -> Batches:
    """Return a part of training batches in which each image is with its opposite, as mixup needs it.

    Parts differ by up to two images; nothing is left out.

    Raises:
        ValueError: a batch has fewer pairs than parts.
    """
    if num_parts > num_pairs(source, batch_size):
        raise ValueError(f"a batch of {batch_size} images has no pair for each of {num_parts} processes")
    row_N = torch.arange(min(batch_size, len(source.labels_N)))
    pair_N = torch.minimum(row_N, row_N.flip(0))
    return training_batches(source, batch_size, seed, pair_N % num_parts == part)


def num_pairs(source: ImageSource, batch_size: int) -> int:
    """Return how many pairs of opposites a training batch has: the most parts of :func:`paired_part`."""
    return min(batch_size, len(source.labels_N)) // 2


def search_batches(data: DataSplits, batch_size: int, seed: int) -> tuple[Batches, Batches]:
    """Return the batches that train the weights of a search, and those that train theta."""
    return (
        training_batches(data.weights, batch_size, 2 * seed),
        training_batches(data.theta, batch_size, 2 * seed + 1),
    )


def sharded_batches(
    data: DataSplits, batch_size: int, seed: int, shards: Shards
) -> tuple[ShardedBatches, ShardedBatches]:
    """Return the same, each batch shared out among the shards of a step: those of this process."""
    weights, theta = (
        ShardedBatches(
            [equal_part(source, batch_size, each_seed, shard, shards.number) for shard in shards.own]
        )
        for source, each_seed in ((data.weights, 2 * seed), (data.theta, 2 * seed + 1))
    )
    return weights, theta


def evaluation_batches(source: ImageSource, batch_size: int = 256) -> Batches:
    """Return all images in order, as they are."""
    return Batches(source, batch_size, 0, shuffles=False)
