"""Job files: JSON or TOML, options on top, wrong keys found before anything is sent."""

from pathlib import Path

import pytest

from search_server.client.job_file import read_job_file, search_request
from shared.protocol.device import Conditions

TOML = """
device = "pixel"
space = "fbnet-tiny"
data = "digits"
target_ms = 0.5
epochs = 8

[conditions]
threads = 2
dtype = "fp32"
"""


def test_options_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(TOML)
    document = read_job_file(path)
    request = search_request(document, {"epochs": 12, "seed": None}, Conditions(runtime="torch"))
    assert (request.device, request.target_ms, request.epochs, request.seed) == ("pixel", 0.5, 12, 0)
    assert request.conditions == Conditions(runtime="torch", threads=2)


def test_json_reads_like_toml(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text('{"device": "pixel", "space": "fbnet-tiny", "data": "digits", "loss": "fbnet"}')
    assert search_request(read_job_file(path), {}, Conditions()).loss == "fbnet"


def test_a_preset_fills_in_what_neither_file_nor_options_give(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(TOML)
    document = {**read_job_file(path), "preset": "fbnet-paper"}
    request = search_request(document, {"beta": 0.9, "warmup_epochs": 2}, Conditions())
    assert (request.loss, request.paths, request.weights, request.batch_size) == (
        "fbnet",
        "soft",
        "separate",
        192,
    )
    assert (request.epochs, request.warmup_epochs, request.beta) == (8, 2, 0.9)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("job.toml", "epochs = ", "is not valid TOML"),
        ("job.json", "[1]", "must hold keys and values"),
        ("job.txt", "", "must end in"),
        ("job.toml", "speed = 3", "unknown key speed; the keys are device"),
        ("job.toml", "[conditions]\ncpu = 3", "unknown key cpu"),
        ("job.toml", "device = 'pixel'", "needs --space"),
        ("job.toml", TOML.replace("8", "0"), "epochs must lie in"),
        ("job.toml", TOML.replace("target_ms = 0.5", ""), "needs target_ms"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        search_request(read_job_file(path), {}, Conditions())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.toml"):
        read_job_file(tmp_path / "nowhere.toml")
