"""What is known of labelled images before a search: what is there, what is odd, what training will see."""

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from search_server.nas.data.batches import CROP_RESOLUTION
from search_server.nas.data.data_sets import load_images
from search_server.nas.data.decode_image import EncodedImage, open_image, read_image
from search_server.nas.data.decoding import NUM_DECODED, damage
from search_server.nas.data.images import ImageFiles, ImagesInMemory, ImageSource, split_images
from search_server.nas.data.loaded_images import LoadedImages
from search_server.nas.data.mirroring import choose_mirroring
from shared.folder_images import shown
from shared.image_folders import split_choice
from shared.search_space import SearchSpace

_NUM_NAMED = 3


@dataclass(frozen=True, slots=True)
class ClassCount:
    """The images of a class."""

    name: str
    num_train: int
    num_test: int
    """In a test part of the data's own."""


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a search would meet."""

    data: str
    classes: tuple[ClassCount, ...]
    num_train: int
    num_test: int
    """0: the data has no test part of its own."""
    sizes: dict[str, int]
    """Images by width x height, the most frequent first."""
    modes: dict[str, int]
    """Images by the mode that Pillow gives them: RGB, L (gray), P (palette), RGBA and others."""
    notes: tuple[str, ...]
    """What is not read, or read where it is not looked for first; a sentence each."""
    rules: tuple[str, ...]
    """What loading and training do with the images; a sentence each."""
    warnings: tuple[str, ...]
    """What lets a search run and makes its result doubtful."""
    problems: tuple[str, ...]
    """What a search refuses."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One image: where it is, how large, and a digest of what it shows."""

    name: str
    label: int
    size: str = ""
    mode: str = ""
    digest: bytes = b""
    error: str = ""
    is_gray: bool = False
    """Its pixels are, whatever its mode."""


def report_on(data: str, space: SearchSpace) -> DataReport:
    """Look at every image of a data set.

    Args:
        data: a name or a folder, as a search takes it.
        space: gives the resolution, and the number of classes to compare.

    Raises:
        ValueError: there is no such data, or its labels cannot be read; the message says what would do.
    """
    loaded = load_images(data, space.resolution)
    root = f"{split_choice(data)[0]}/"
    train = _look(loaded.train, root)
    test = _look(loaded.test, root) if loaded.test is not None else []
    names = loaded.train.class_names
    counts = [Counter(each.label for each in part) for part in (train, test)]
    errors = [each.error for each in (*train, *test) if each.error]
    whole = [each for each in (*train, *test) if not each.error]
    mirroring = choose_mirroring(loaded.train, None) if not errors else (loaded.train.mirrors, "")
    return DataReport(
        data=data,
        classes=tuple(
            ClassCount(name, counts[0][label], counts[1][label]) for label, name in enumerate(names)
        ),
        num_train=len(train),
        num_test=len(test),
        sizes=dict(Counter(each.size for each in whole).most_common()),
        modes=dict(Counter(each.mode for each in whole).most_common()),
        notes=loaded.notes,
        rules=_rules(loaded, space.resolution, *mirroring),
        warnings=(*(_gray_warning(train) if mirroring[0] else ()), *_warnings(train, test, names)),
        problems=tuple(_problems(loaded, errors, space)),
    )


def _look(source: ImageSource, root: str) -> list[_Seen]:
    labels = source.labels_N.tolist()
    if isinstance(source, ImagesInMemory):
        _, channels, height, width = source.images_NCHW.shape
        size, mode = f"{width}x{height}", "L" if channels == 1 else "RGB"
        return [
            _Seen(f"image {index}", label, size, mode, _digest(image_CHW.numpy().tobytes()))
            for index, (label, image_CHW) in enumerate(zip(labels, source.images_NCHW, strict=True))
        ]
    if not isinstance(source, ImageFiles):
        return []
    step = -(-len(labels) // NUM_DECODED)

    def look(index: int) -> _Seen:
        file = source.files[index]
        name = (shown(file) if isinstance(file, Path) else str(file)).removeprefix(root)
        is_gray = False
        try:
            with open_image(file) as image:
                size, mode = f"{image.width}x{image.height}", image.mode
            if step == 1:
                image_CHW = read_image(file, source.resolution)
                content = image_CHW.numpy().tobytes()
                is_gray = bool((image_CHW == image_CHW[:1]).all())
            else:
                error = damage(file, source.resolution, decodes=index % step == 0)
                if error:
                    return _Seen(name, labels[index], error=error)
                content = file.content if isinstance(file, EncodedImage) else file.read_bytes()
        except (ValueError, OSError) as reason:
            return _Seen(name, labels[index], error=str(reason))
        return _Seen(name, labels[index], size, mode, _digest(content), is_gray=is_gray)

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(look, range(len(labels))))


def _rules(loaded: LoadedImages, resolution: int, mirrors: bool, why: str) -> tuple[str, ...]:
    crops = loaded.train.mirrors and resolution >= CROP_RESOLUTION
    why = why.removeprefix("images are not mirrored, ")
    why = why or "since most images are gray, and such may be signs; --mirror turns it on"
    return (
        f"size: the shorter side is scaled to {resolution} pixels, the centre {resolution}x{resolution} "
        "is taken",
        "pixels: 8 bits a channel, EXIF orientation applied, transparent parts on white",
        f"training sees random parts, 8 to 100 % of the area, at {resolution}x{resolution}"
        if crops
        else "training sees images shifted at random by up to an eighth of their side",
        "mirror: half of the images, at random; --no-mirror turns it off"
        if mirrors
        else f"mirror: no, {why}",
        f"test split: {len(loaded.test.labels_N)} images of the data's own"
        if loaded.test is not None
        else "test split: a fifth of each class, drawn by the seed",
        "the rest of each class: 60 % for weights, 25 % for theta, 15 % for validation",
    )


def _warnings(train: Sequence[_Seen], test: Sequence[_Seen], names: Sequence[str]) -> list[str]:
    warnings = []
    first: dict[bytes, _Seen] = {}
    across: list[tuple[_Seen, _Seen]] = []
    within = 0
    for each in (each for each in train if not each.error):
        other = first.setdefault(each.digest, each)
        if other is not each:
            within += 1
            across += [(other, each)] if other.label != each.label else []
    if across:
        warnings.append(
            f"{len(across)} images are identical to one of another class: {_pairs(across, names)}"
        )
    shared = [(first[each.digest], each) for each in test if not each.error and each.digest in first]
    if shared:
        warnings.append(
            f"{len(shared)} of {len(test)} test images are training images as well: {_pairs(shared, names)}"
        )
    if within and not test:
        warnings.append(
            f"{within} of {len(train)} images repeat another one, and splits are drawn by image: some are "
            "trained on and tested"
        )
    return warnings


def _gray_warning(train: Sequence[_Seen]) -> list[str]:
    if train and all(each.is_gray for each in train):
        return [
            "all images are gray, stored as colour images, and are mirrored in training; if they are signs "
            "such as letters, search with --no-mirror"
        ]
    return []


def _pairs(pairs: Sequence[tuple[_Seen, _Seen]], names: Sequence[str]) -> str:
    words = [
        f"{one.name} ({names[one.label]}) and {other.name} ({names[other.label]})"
        for one, other in pairs[:_NUM_NAMED]
    ]
    return f"{'; '.join(words)}{'; ...' if len(pairs) > _NUM_NAMED else ''}"


def _problems(loaded: LoadedImages, errors: Sequence[str], space: SearchSpace) -> list[str]:
    problems = list(errors[:10])
    if len(errors) > len(problems):
        problems.append(f"{len(errors) - len(problems)} more images cannot be read")
    try:
        split_images(loaded.train, loaded.test, seed=0).require_fit(space.num_classes, space.name)
    except ValueError as error:
        problems.append(str(error))
    return problems


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
