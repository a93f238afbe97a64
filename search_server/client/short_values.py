"""What a person writes in short, in full: devices with targets, counts in millions, classes."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}


def device_options(devices: Sequence[str], target_ms: float | None) -> dict[str, Any]:
    """Return what ``-d pixel=20 -d raspi4=35`` means: a device, its target, and further devices.

    Args:
        devices: names, each with ``=MS`` or without.
        target_ms: of the devices that are given without.

    Raises:
        ValueError: a target is no number, or one of several devices has none.
    """
    if not devices:
        return {"target_ms": target_ms}
    pairs = [_device_target(device, target_ms) for device in devices]
    lacking = [name for name, own_ms in pairs if own_ms is None]
    if len(pairs) > 1 and lacking:
        raise ValueError(f"device {lacking[0]} has no target; write -d {lacking[0]}=MS, or --target-ms MS")
    (name, first_ms), *others = pairs
    also = [{"device": other, "target_ms": own_ms} for other, own_ms in others]
    return {"device": name, "target_ms": first_ms, "also": also or None}


def class_options(classes: str | None) -> dict[str, Any]:
    """Return what ``--classes`` means: a number of classes, or a file that lists them line by line.

    Raises:
        ValueError: it is neither a number nor a file.
    """
    if classes is None:
        return {}
    if classes.isdecimal():
        return {"num_classes": int(classes)}
    try:
        lines = Path(classes).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(
            f"--classes takes a number, or a file of class names; cannot read {classes}: {error.strerror}"
        ) from None
    return {"class_names": [line.strip() for line in lines if line.strip()]}


def number(option: str, text: str) -> int:
    """Return a count that may be written in thousands, millions or billions: 60M, 2.5M, 800k.

    Raises:
        ValueError: it is no such number.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMG]?)", text.strip())
    if match is None:
        raise ValueError(f"{option} must be a number such as 60M, 800k or 1500000, got {text!r}")
    return round(float(match[1]) * _FACTORS[match[2]])


def _device_target(text: str, target_ms: float | None) -> tuple[str, float | None]:
    name, sign, own_ms = text.partition("=")
    if not sign:
        return name, target_ms
    try:
        return name, float(own_ms)
    except ValueError:
        raise ValueError(
            f"-d {text}: the target must be a number of milliseconds, as in -d pixel=20"
        ) from None
