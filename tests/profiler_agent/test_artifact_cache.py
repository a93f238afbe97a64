import hashlib
import os
from pathlib import Path

import pytest

from profiler_agent.artifact_cache import ArtifactCache, ArtifactMismatchError


def store(cache: ArtifactCache, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    with cache.writing(sha256, len(content)) as file:
        file.write(content)
    return sha256


def test_keeps_a_file_under_its_hash(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    path = cache.path(store(cache, b"model"))
    assert path is not None
    assert path.read_bytes() == b"model"


def test_keeps_nothing_that_hashes_to_something_else(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    with pytest.raises(ArtifactMismatchError, match="hash to"), cache.writing("0" * 64, 100) as file:
        file.write(b"model")
    assert list(tmp_path.iterdir()) == []


def test_keeps_nothing_that_is_too_large(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    with (
        pytest.raises(ArtifactMismatchError, match="larger than the 4 bytes"),
        cache.writing("0" * 64, 4) as file,
    ):
        file.write(b"model")
    assert list(tmp_path.iterdir()) == []


def test_removes_torsos_of_a_crash(tmp_path: Path) -> None:
    (tmp_path / "left.part").write_bytes(b"mod")
    ArtifactCache(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_least_recently_used_goes(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path, limit_bytes=10)
    first, second = store(cache, b"1111"), store(cache, b"2222")
    os.utime(tmp_path / first, (1, 1))
    os.utime(tmp_path / second, (2, 2))
    assert cache.path(first) is not None  # used just now
    third = store(cache, b"3333")
    assert cache.path(second) is None
    assert cache.path(first) is not None
    assert cache.path(third) is not None


def test_the_least_recently_used_goes_also_where_the_clock_was_put_back(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path, limit_bytes=10)
    first, second = store(cache, b"1111"), store(cache, b"2222")
    for sha256, moment in ((first, 2_100_000_000), (second, 2_100_000_001)):  # in 2036
        os.utime(tmp_path / sha256, (moment, moment))
    assert cache.path(first) is not None
    third = store(cache, b"3333")
    assert cache.path(second) is None
    assert cache.path(first) is not None
    assert cache.path(third) is not None
