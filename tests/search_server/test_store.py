"""The store: whole files by name, in a folder and behind URLs of three kinds."""

import hashlib
import uuid
from pathlib import Path

import pytest

from search_server.store import Store


@pytest.fixture(params=["folder", "file URL", "memory", "S3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return Store.at(tmp_path / "here")
    if request.param == "file URL":
        return Store.at(f"file://{tmp_path}/there")
    root = "memory:/" if request.param == "memory" else request.getfixturevalue("s3_url")
    return Store.at(f"{root}/{uuid.uuid4().hex}")


def test_what_was_written_is_read_listed_and_removed(store: Store) -> None:
    assert not store.has("searches/a/search.pt")
    assert store.names("searches") == []
    for name in ("searches/b/search.pt", "searches/a/search.pt", "artifacts/1"):
        store.write(name, name.encode())
    store.write("searches/a/search.pt", b"again")
    assert store.read("searches/a/search.pt") == b"again"
    assert store.size_bytes("searches/a/search.pt") == 5
    assert store.names("searches") == ["searches/a/search.pt", "searches/b/search.pt"]
    assert store.names("searches/b") == ["searches/b/search.pt"]
    assert store.has("artifacts/1")
    assert not store.has("artifacts")
    store.remove("searches/b/search.pt")
    store.remove("searches/b/search.pt")
    assert store.names("searches") == ["searches/a/search.pt"]
    store.remove_folder("artifacts")
    store.remove_folder("artifacts")
    assert (store.names("artifacts"), store.has("artifacts/1")) == ([], False)
    with pytest.raises(FileNotFoundError):
        store.read("searches/b/search.pt")


def test_a_sealed_file_ends_with_its_sha256_and_is_refused_once_a_bit_differs(store: Store) -> None:
    store.write_sealed("searches/a/search.pt", b"weights")
    assert store.read_sealed("searches/a/search.pt") == b"weights"
    whole = store.read("searches/a/search.pt")
    assert whole == b"weights" + hashlib.sha256(b"weights").digest() + b"edgenas-sha256"
    store.write("searches/a/search.pt", whole.replace(b"weights", b"weightr"))
    with pytest.raises(ValueError, match=r"searches/a/search\.pt in the store .* is damaged"):
        store.read_sealed("searches/a/search.pt")


def test_a_file_of_an_earlier_version_has_no_seal(store: Store) -> None:
    store.write("searches/a/search.pt", b"as it was")
    assert store.read_sealed("searches/a/search.pt") == b"as it was"


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    store.write("a/b", b"before")
    with pytest.raises(TypeError):
        store.write("a/b", "no bytes")  # type: ignore[arg-type]
    assert store.read("a/b") == b"before"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_what_is_being_written_is_not_listed(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    store.write("a/b", b"whole")
    (tmp_path / "a" / "tmpx.part").write_bytes(b"hal")
    assert store.names("a") == ["a/b"]


def test_a_folder_has_paths_and_an_object_store_has_none(tmp_path: Path) -> None:
    store = Store.at(f"file://{tmp_path}")
    store.write("a/b", b"here")
    path = store.local_path("a/b")
    assert path is not None
    assert path.read_bytes() == b"here"
    assert Store.at("memory://x").local_path("a/b") is None


@pytest.mark.parametrize(
    ("url", "message"), [("gs://bucket/x", "gcsfs"), ("gold://bars", r"of no known kind .*gold")]
)
def test_a_url_that_nothing_reads_is_refused_in_words(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Store.at(url)
