"""What is seen is what was in the image: depth, transparency, orientation and shape of odd files."""

import subprocess
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search_server.nas.data.decode_image import EncodedImage, read_image


def encoded(image: Image.Image, kind: str, **options: object) -> EncodedImage:
    content = BytesIO()
    image.save(content, kind, **options)
    return EncodedImage(content.getvalue(), "images", 0)


def gray_row(image: Image.Image, kind: str, **options: object) -> list[int]:
    """The middle row of a file as a network sees it, which is gray."""
    seen_CHW = read_image(encoded(image, kind, **options), min(image.size))
    assert (seen_CHW[0] == seen_CHW[1]).all()
    assert (seen_CHW[0] == seen_CHW[2]).all()
    row: list[int] = seen_CHW[0, seen_CHW.shape[1] // 2].tolist()
    return row


# By hand: 255 * v / 65535 = v / 257.
RAMP = [0, 128, 129, 257, 32768, 65535]
SCALED = [0, 0, 1, 1, 128, 255]


def square(row: Sequence[float], dtype: str) -> np.ndarray:
    return np.tile(np.array(row, dtype), (len(row), 1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_gray_of_16_bits_is_scaled(kind: str) -> None:
    assert gray_row(Image.fromarray(square(RAMP, "uint16")), kind) == SCALED


def test_big_endian_and_32_bit_gray_are_scaled_alike() -> None:
    big_endian = Image.frombytes("I;16B", (6, 6), square(RAMP, ">u2").tobytes())
    assert gray_row(big_endian, "TIFF") == SCALED
    assert gray_row(Image.fromarray(square(RAMP, "int32")), "TIFF") == SCALED


def test_floats_are_0_to_1_or_0_to_255() -> None:
    assert gray_row(Image.fromarray(square([0, 0.2, 1.0], "float32")), "TIFF") == [0, 51, 255]
    assert gray_row(Image.fromarray(square([0, 51, 255], "float32")), "TIFF") == [0, 51, 255]


@pytest.mark.parametrize(
    ("row", "dtype", "message"),
    [
        ([0, 70000], "int32", "integers go from 0 to 70000"),
        ([-1, 5], "int32", "integers go from -1 to 5"),
        ([0, 300], "float32", "floats go from 0 to 300"),
        ([0, float("nan")], "float32", "floats go from nan"),
    ],
)
def test_gray_of_an_unknown_range_is_refused(row: Sequence[float], dtype: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gray_row(Image.fromarray(square(row, dtype)), "TIFF")


# Black ink whose alpha is 255, 51 and 0; on white, 51 of 255 leaves 4/5 of 255.
ON_WHITE = [0, 204, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_ink_on_transparency_is_composed_on_white(mode: str, kind: str) -> None:
    ink = Image.new(mode, (3, 3), 0)
    ink.putalpha(Image.fromarray(square([255, 51, 0], "uint8")))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    if (mode, kind) != ("LA", "WEBP"):
        assert gray_row(ink, kind, **options) == ON_WHITE


def test_a_palette_may_have_transparent_colours() -> None:
    palette = Image.fromarray(square([0, 1, 2], "uint8"))
    palette.putpalette([0] * 9)
    assert gray_row(palette, "PNG", transparency=bytes([255, 51, 0])) == ON_WHITE
    assert gray_row(palette, "GIF", transparency=2) == [0, 0, 255]


def test_one_colour_may_be_transparent() -> None:
    gray = Image.fromarray(square([0, 7, 9], "uint8"))
    assert gray_row(gray, "PNG", transparency=7) == [0, 255, 9]
    assert gray_row(gray.convert("RGB"), "PNG", transparency=(7, 7, 7)) == [0, 255, 9]


def test_hidden_colours_of_opaque_and_transparent_pixels() -> None:
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]] * 2, np.uint8)
    seen_CHW = read_image(encoded(Image.fromarray(pixels), "PNG"), 2)
    assert seen_CHW[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255]]


# EXIF 2.32: where row 0 and column 0 of the stored image lie in the scene.
PLACES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("orientation", "places"), PLACES.items())
def test_the_orientation_in_exif_is_applied(kind: str, orientation: int, places: tuple[str, str]) -> None:
    """Row 0 is stored white, column 0 gray: each has to lie where the standard says."""
    stored = np.zeros((48, 48, 3), np.uint8)
    stored[:, :16] = 128
    stored[:16] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    seen_HW = read_image(encoded(Image.fromarray(stored), kind, exif=exif), 48)[0].numpy().astype(int)
    middles = {"top": seen_HW[8, 24], "bottom": seen_HW[40, 24]}
    middles |= {"left": seen_HW[24, 8], "right": seen_HW[24, 40]}
    row, column = places
    for place, seen in middles.items():
        assert abs(seen - {row: 255, column: 128}.get(place, 0)) < 12


def test_damaged_exif_does_not_keep_an_image_from_being_read() -> None:
    content = encoded(Image.new("RGB", (8, 8), (1, 2, 3)), "PNG", exif=b"Exif\x00\x00nonsense")
    assert read_image(content, 8)[:, 4, 4].tolist() == [1, 2, 3]


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is Linux's")
@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (20_001, 3)])
def test_a_thin_image_takes_little_memory_and_shows_its_middle(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    """Scaled whole, 20,000 x 1 pixels at 224 would be 4,480,000 x 224 pixels: 3 GB."""
    thin = Image.new("RGB", size, "black")
    middle = tuple(side // 2 for side in size)
    thin.paste((200, 100, 50), (max(0, middle[0] - 5), max(0, middle[1] - 5), middle[0] + 6, middle[1] + 6))
    thin.save(tmp_path / "thin.png")
    assert read_image(tmp_path / "thin.png", 224)[:, 112, 112].tolist() == [200, 100, 50]
    reads = (
        "import resource, sys; from pathlib import Path\n"
        "from search_server.nas.data.decode_image import EncodedImage, read_image\n"
        "read_image(Path(sys.argv[2]), 224)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "read_image(Path(sys.argv[1]), 224)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    Image.new("RGB", (300, 300)).save(tmp_path / "plain.png")
    command = [sys.executable, "-c", reads, f"{tmp_path}/thin.png", f"{tmp_path}/plain.png"]
    grown_kib = int(subprocess.run(command, capture_output=True, check=True).stdout)
    assert grown_kib < 100_000


def test_an_image_of_16_to_1_is_scaled_as_it_was() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (10, 160, 3), np.uint8)
    whole = Image.fromarray(pixels).resize((448, 28), Image.Resampling.BILINEAR).crop((210, 0, 238, 28))
    seen_CHW = read_image(encoded(Image.fromarray(pixels), "PNG"), 28)
    assert (seen_CHW.permute(1, 2, 0).numpy() == np.asarray(whole)).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_several_frames_the_first_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert read_image(content, 8)[:, 4, 4].tolist() == [255, 0, 0]


def test_one_bit_and_cmyk() -> None:
    ink = Image.fromarray(square([0, 255], "uint8")).convert("1")
    assert gray_row(ink, "PNG") == [0, 255]
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    assert read_image(encoded(cyan, "TIFF"), 8)[:, 4, 4].tolist() == [0, 255, 255]
    jpeg = read_image(encoded(cyan, "JPEG", quality=100), 8)[:, 4, 4].int()
    assert (jpeg - jpeg.new_tensor([0, 255, 255])).abs().max() <= 3


@pytest.mark.filterwarnings("ignore:.*orrupt EXIF")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM"])
def test_a_file_that_was_cut_is_named(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = encoded(Image.fromarray(noise), kind)
    for length in (0, 3, 20, len(content.content) // 2):
        (tmp_path / "cut.img").write_bytes(content.content[:length])
        with pytest.raises(ValueError, match=r"cannot read image .*cut\.img"):
            read_image(tmp_path / "cut.img", 32)
