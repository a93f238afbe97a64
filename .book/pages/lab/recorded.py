"""Recorded windows of profiles: what a device sent, kept in files beside this one."""

import json
import lzma
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.architecture import Architecture, parse_architecture
from shared.protocol.device import Conditions
from shared.protocol.measurement import Result
from shared.protocol.wire import from_dict, to_dict
from shared.search_space import SearchSpace, search_space

FOLDER = Path(__file__).parent / "windows"


@dataclass(frozen=True, slots=True)
class Windows:
    """Some windows of one space on one device; a window is a lease."""

    space: SearchSpace
    conditions: Conditions
    anchor_id: str
    covers: Mapping[str, Architecture]
    families: Mapping[str, Architecture]
    """Networks by item id."""
    results: tuple[Result, ...]

    @property
    def leases(self) -> list[str]:
        """Ids of the windows, in the order of time."""
        return list(dict.fromkeys(result.lease_id for result in self.results))

    def results_of(self, leases: Collection[str]) -> list[Result]:
        """Return what these windows gave."""
        return [result for result in self.results if result.lease_id in leases]


def load(name: str, folder: Path = FOLDER) -> Windows:
    """Return the recorded windows of a space.

    Raises:
        ValueError: none are recorded; says which spaces are.
    """
    path = folder / f"{name}.json.xz"
    if not path.exists():
        raise ValueError(f"no windows of {name!r} are recorded, only of {', '.join(recorded_spaces())}")
    body: dict[str, Any] = json.loads(lzma.decompress(path.read_bytes()))
    space = search_space(body["space"])
    covers, families = (
        {item_id: parse_architecture(blocks, space) for item_id, blocks in body[kind].items()}
        for kind in ("covers", "families")
    )
    return Windows(
        space,
        from_dict(body["conditions"], Conditions),
        body["anchor"],
        covers,
        families,
        tuple(from_dict(result, Result) for result in body["results"]),
    )


def save(windows: Windows, folder: Path = FOLDER) -> Path:
    """Write the windows of a space, in place of those that were recorded before; return the file's path."""
    body = {
        "space": windows.space.name,
        "conditions": to_dict(windows.conditions),
        "anchor": windows.anchor_id,
        "covers": {item_id: str(cover) for item_id, cover in windows.covers.items()},
        "families": {item_id: str(family) for item_id, family in windows.families.items()},
        "results": [to_dict(result) for result in windows.results],
    }
    path = folder / f"{windows.space.name}.json.xz"
    path.write_bytes(lzma.compress(json.dumps(body, separators=(",", ":")).encode(), preset=9))
    return path


def recorded_spaces() -> list[str]:
    """Return the names of the spaces of which windows are recorded."""
    return sorted(path.name.removesuffix(".json.xz") for path in FOLDER.glob("*.json.xz"))
