"""``edgenas data check`` tells before a search what it would meet, and needs no server."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from search_server.client.cli import app

cli = CliRunner()


def make(folder: Path, name: str, numbers: range, mode: str = "RGB") -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 256, (6, 9, 3), np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / name / f"{number}.png")


def check(folder: Path, space: str = "fbnet-tiny:classes=2", exit_code: int = 0) -> dict[str, Any]:
    answer = cli.invoke(app, ["data", "check", str(folder), "-s", space, "--json"])
    assert answer.exit_code == exit_code, answer.output
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


def test_what_is_there_is_counted(tmp_path: Path) -> None:
    make(tmp_path, "a", range(8))
    make(tmp_path, "b", range(100, 109))
    (tmp_path / "b" / "notes.txt").touch()
    report = check(tmp_path)
    assert [(each["name"], each["num_train"]) for each in report["classes"]] == [("a", 8), ("b", 9)]
    assert (report["sizes"], report["modes"]) == ({"9x6": 17}, {"RGB": 17})
    assert "1 files" in report["notes"][0]
    assert "b/notes.txt" in report["notes"][0]
    assert (report["warnings"], report["problems"]) == ([], [])
    assert "mirror: half of the images, at random; --no-mirror turns it off" in report["rules"]


def test_the_same_image_in_two_classes_is_told(tmp_path: Path) -> None:
    make(tmp_path, "a", range(8))
    make(tmp_path, "b", range(100, 108))
    with Image.open(tmp_path / "a" / "3.png") as image:
        image.save(tmp_path / "b" / "200.bmp")
    warnings = check(tmp_path)["warnings"]
    assert warnings[0] == "1 images are identical to one of another class: a/3.png (a) and b/200.bmp (b)"


def test_images_of_both_splits_are_told(tmp_path: Path) -> None:
    for part, start in (("train", 0), ("test", 500)):
        make(tmp_path / part, "a", range(start, start + 8))
        make(tmp_path / part, "b", range(start + 100, start + 108))
    shutil.copy(tmp_path / "train" / "a" / "2.png", tmp_path / "test" / "a" / "copy.png")
    report = check(tmp_path)
    assert report["num_test"] == 17
    assert report["warnings"][0].startswith(
        "1 of 17 test images are training images as well: train/a/2.png"
    )


@pytest.mark.parametrize(
    ("mode", "rule"), [("RGB", "mirror: half"), ("L", "mirror: no, since most images are gray")]
)
def test_gray_images_are_told_by_their_mode_or_their_pixels(tmp_path: Path, mode: str, rule: str) -> None:
    make(tmp_path, "a", range(8), "L")
    make(tmp_path, "b", range(100, 108), "L")
    for path in tmp_path.glob("*/*.png"):
        with Image.open(path) as image:
            image.convert(mode).save(path)
    report = check(tmp_path)
    assert any(each.startswith(rule) for each in report["rules"])
    assert any("all images are gray" in each for each in report["warnings"]) == (mode == "RGB")


def test_what_a_search_refuses_ends_with_status_1(tmp_path: Path) -> None:
    make(tmp_path, "a", range(8))
    make(tmp_path, "b", range(100, 108))
    problems = check(tmp_path, "fbnet-tiny", exit_code=1)["problems"]
    assert "tells 10 classes apart, the data has 2; override it with 'classes=2'" in problems[0]
    (tmp_path / "b" / "100.png").write_bytes(b"")
    (tmp_path / "b" / "101.png").unlink()
    problems = check(tmp_path, exit_code=1)["problems"]
    assert "b/100.png" in problems[0]
    assert "class 'b' has 7 images; at least 8" in problems[1]


def test_a_page_of_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for number in range(25):
        make(tmp_path, f"class {number:02} [odd]", range(100 * number, 100 * number + 8))
    answer = cli.invoke(app, ["data", "check", str(tmp_path), "-s", "fbnet-tiny:classes=25"])
    assert answer.exit_code == 0
    assert max(map(len, answer.stdout.splitlines())) <= 80
    assert "class 19 [odd]" in answer.stdout
    assert "... and 5 more classes" in answer.stdout


def test_no_such_data(tmp_path: Path) -> None:
    answer = cli.invoke(app, ["data", "check", str(tmp_path / "none"), "-s", "fbnet-tiny"])
    assert answer.exit_code != 0
    assert isinstance(answer.exception, SystemExit)
