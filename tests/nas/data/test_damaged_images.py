"""Images that cannot be read are named before a search trains, all in one message."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from search_server.nas.data.data_sets import load_data
from search_server.nas.data.decoding import damage, decode_sources, image_files
from search_server.nas.data.images import ImageFiles

# In memory after they are decoded, or files of which headers and ends are looked at.
LIMITS = (10**9, 0)


def picture(kind: str, **options: object) -> bytes:
    content = BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(content, kind, **options)
    return content.getvalue()


def write(folder: Path, *contents: bytes) -> ImageFiles:
    for index, content in enumerate(contents):
        (folder / f"{index:02}.img").write_bytes(content)
    labels_N = torch.zeros(len(contents), dtype=torch.int64)
    return image_files(sorted(folder.glob("*.img")), labels_N, ("a",), 8)


@pytest.mark.parametrize("limit_bytes", LIMITS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "PPM"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.97])
def test_a_cut_image_is_named(tmp_path: Path, kind: str, share: float, limit_bytes: int) -> None:
    whole = picture(kind)
    source = write(tmp_path, whole, whole[: int(share * len(whole))], whole)
    with pytest.raises(ValueError, match=r"^cannot read image .*01\.img: "):
        decode_sources([source], limit_bytes)


@pytest.mark.parametrize("limit_bytes", LIMITS)
def test_damage_in_the_middle_of_a_file_is_named(tmp_path: Path, limit_bytes: int) -> None:
    whole = picture("PNG")
    middle = len(whole) // 2
    source = write(tmp_path, whole, whole[:middle] + bytes(200) + whole[middle + 200 :], whole)
    with pytest.raises(ValueError, match=r"^cannot read image .*01\.img: "):
        decode_sources([source], limit_bytes)


def test_checksums_of_png_tell_damage_where_it_is_not_decoded(tmp_path: Path) -> None:
    whole = picture("PNG")
    middle = len(whole) // 2
    write(tmp_path, whole, whole[:middle] + bytes(200) + whole[middle + 200 :])
    assert damage(tmp_path / "00.img", 8, decodes=False) == ""
    assert "01.img" in damage(tmp_path / "01.img", 8, decodes=False)


def test_a_wrong_checksum_alone_does_no_harm(tmp_path: Path) -> None:
    """The pixels are whole: a decoder reads them, so a search may."""
    whole = picture("PNG")
    checksum = whole.index(b"IEND") - 8
    write(tmp_path, whole[:checksum] + b"\1\2\3\4" + whole[checksum + 4 :])
    for decodes in (False, True):
        assert damage(tmp_path / "00.img", 8, decodes=decodes) == ""


@pytest.mark.parametrize("limit_bytes", LIMITS)
def test_all_damaged_images_are_in_one_message(tmp_path: Path, limit_bytes: int) -> None:
    whole = picture("JPEG")
    (tmp_path / "test").mkdir()
    train = write(tmp_path, b"", whole, b"no image", whole)
    test = write(tmp_path / "test", whole, whole[:200])
    with pytest.raises(ValueError, match=r"^3 of 6 images cannot be read: ") as caught:
        decode_sources([train, test], limit_bytes)
    for name in ("00.img", "02.img", "test/01.img"):
        assert str(tmp_path / name) in str(caught.value)


def test_of_many_damaged_images_ten_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^25 of 25 images cannot be read: .*; and 15 more$") as caught:
        decode_sources([write(tmp_path, *[b""] * 25)])
    assert str(caught.value).count(".img:") == 10


@pytest.mark.parametrize("limit_bytes", LIMITS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
def test_what_stands_behind_an_image_does_no_harm(tmp_path: Path, kind: str, limit_bytes: int) -> None:
    whole = picture(kind)
    (kept,) = decode_sources([write(tmp_path, whole, whole + b"\0" * 500, whole + b"made by")], limit_bytes)
    first, second, third = kept.images([0, 1, 2])
    assert torch.equal(first, second)
    assert torch.equal(first, third)


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(8):
            (tmp_path / name / f"{index}.png").write_bytes(picture("PNG"))
    (tmp_path / "b" / "8.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match=r"cannot read image .*b/8\.png: "):
        load_data(str(tmp_path), 8)


def test_progress_is_told(tmp_path: Path) -> None:
    (tmp_path / "0.img").write_bytes(picture("PNG"))
    labels_N = torch.zeros(2500, dtype=torch.int64)
    source = image_files([tmp_path / "0.img"] * 2500, labels_N, ("a",), 8)
    told: list[tuple[int, int]] = []
    decode_sources([source], 0, lambda done, total: told.append((done, total)))
    assert told == [(1000, 2500), (2000, 2500)]
