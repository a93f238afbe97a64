from pathlib import Path
from typing import Any

import pytest

from search_server.client.job_file import search_request
from search_server.client.short_values import class_options, device_options, number
from search_server.resources.searches import DeviceTarget
from shared.protocol.device import Conditions


@pytest.mark.parametrize(
    ("devices", "target_ms", "wanted"),
    [
        ([], 5.0, (None, 5.0, None)),
        (["pixel"], None, ("pixel", None, None)),
        (["pixel"], 5.0, ("pixel", 5.0, None)),
        (["pixel=20"], None, ("pixel", 20.0, None)),
        (["pixel=20", "raspi4=35"], None, ("pixel", 20.0, [{"device": "raspi4", "target_ms": 35.0}])),
        (["pixel=20", "raspi4"], 7.0, ("pixel", 20.0, [{"device": "raspi4", "target_ms": 7.0}])),
    ],
)
def test_devices_and_their_targets(
    devices: list[str], target_ms: float | None, wanted: tuple[object, ...]
) -> None:
    options = device_options(devices, target_ms)
    assert tuple(options.get(key) for key in ("device", "target_ms", "also")) == wanted


def test_they_make_a_request_and_win_over_the_file() -> None:
    document: dict[str, Any] = {
        "device": "old",
        "space": "fbnet-tiny",
        "data": "digits",
        "also": [{"device": "file", "target_ms": 1.0}],
    }
    request = search_request(document, device_options(["pixel=20", "raspi4=35"], None), Conditions())
    assert (request.device, request.target_ms) == ("pixel", 20.0)
    assert request.also == (DeviceTarget("raspi4", 35.0),)
    with pytest.raises(ValueError, match=r"also\[0\] of the job file: unknown key target; the keys are"):
        search_request({**document, "also": [{"device": "file", "target": 1.0}]}, {}, Conditions())


def test_numbers_classes_and_what_is_neither(tmp_path: Path) -> None:
    assert [number("--max-macs", text) for text in ("60M", "1.5k", "2G", "7")] == [60e6, 1500, 2e9, 7]
    assert class_options("100") == {"num_classes": 100}
    path = tmp_path / "classes.txt"
    path.write_text("cat\n\ndog\n")
    assert class_options(str(path)) == {"class_names": ["cat", "dog"]}
    for call, message in (
        (lambda: number("--max-macs", "many"), "--max-macs must be a number such as 60M"),
        (lambda: class_options("nowhere.txt"), "cannot read nowhere.txt"),
        (lambda: device_options(["pixel=fast"], None), "must be a number of milliseconds"),
        (lambda: device_options(["a=1", "b"], None), "device b has no target"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
