"""Images come from the roots that an operator lists, and nothing else of the disk can be told apart."""

import os
import re
from pathlib import Path

import pytest

from search_server.data_roots import NO_ROOTS, DataRoots
from search_server.settings import Settings


@pytest.fixture
def roots(tmp_path: Path) -> DataRoots:
    """Two roots, a secret folder beside them, and one whose name only begins like a root's."""
    for name in ("root/pets/cat", "root/pets/dog", "other/set#1", "secret/inner", "rootless"):
        (tmp_path / name).mkdir(parents=True)
    return DataRoots((tmp_path / "root", tmp_path / "other"))


def test_folders_within_the_roots_are_found_by_either_path(roots: DataRoots, tmp_path: Path) -> None:
    pets = str((tmp_path / "root/pets").resolve())
    for data in (pets, "pets", "pets/", "./pets/../pets", f"{tmp_path}/root/../root/pets"):
        assert roots.find(data) == pets
    assert roots.find("pets#emnist") == f"{pets}#emnist"
    assert roots.find("set#1") == str((tmp_path / "other/set#1").resolve())


def test_what_is_outside_is_refused_in_the_same_words_whether_it_is_there_or_not(
    roots: DataRoots, tmp_path: Path
) -> None:
    (tmp_path / "root/out").symlink_to(tmp_path / "secret")
    (tmp_path / "root/file").write_text("")
    outside = [
        *(f"{tmp_path}/{name}" for name in ("secret", "secret/inner", "secret/nothing", "rootless", "no")),
        *(f"{tmp_path}/root/out", f"{tmp_path}/root/out/inner", f"{tmp_path}/root/no", "file", "out"),
        *("../secret", "../nothing", "/", "/root", "/nothing", "~", "~root", ".." * 3, "", "no#x", "#x"),
        *(f"hf:{tmp_path}/secret", f"hf:{tmp_path}/no", "hf:../secret", "hf:", "hf:imagefolder"),
    ]
    words = set()
    for data in outside:
        with pytest.raises(ValueError, match="EDGENAS_DATA_ROOTS") as refused:
            roots.find(data)
        words.add(str(refused.value).replace(repr(data), "X"))
    assert len(words) == 1
    assert f"({tmp_path}/root, {tmp_path}/other)" in words.pop()


def test_a_link_inside_a_folder_must_not_lead_out(roots: DataRoots, tmp_path: Path) -> None:
    pets = tmp_path / "root/pets"
    (pets / "cat/loop").symlink_to(pets)
    (pets / "bird").symlink_to(tmp_path / "other/set#1")
    assert roots.find("pets") == str(pets.resolve())
    (tmp_path / "other/set#1/x.png").symlink_to(tmp_path / "secret/nothing.png")
    with pytest.raises(ValueError, match=re.escape("x.png' is a link that leads out")) as refused:
        roots.find("pets")
    assert "secret" not in str(refused.value)


def test_names_of_data_sets_need_no_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("digits", "hf:mnist", "hf:ylecun/mnist", "hf:ylecun/mnist:plain"):
        assert NO_ROOTS.find(name) == name
    # The hub's library would read a folder of this name in place of the data set.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    with pytest.raises(ValueError, match="EDGENAS_DATA_ROOTS"):
        NO_ROOTS.find("hf:mnist")
    assert DataRoots((tmp_path,)).find("hf:mnist") == f"hf:{tmp_path.resolve()}/mnist"


def test_an_operator_lists_roots_and_without_a_list_images_lie_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings(data=tmp_path).image_roots == DataRoots((tmp_path / "images",))
    monkeypatch.setenv("EDGENAS_DATA_ROOTS", os.pathsep.join(("/srv/images", "/mnt/a b")))
    assert Settings(data=tmp_path).image_roots == DataRoots((Path("/srv/images"), Path("/mnt/a b")))
