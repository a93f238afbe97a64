"""A found network in a folder that is a repository of the Hugging Face hub, and on the hub itself."""

import io
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any


def unpack_hub(content: bytes, folder: Path) -> list[str]:
    """Write the files of an exported repository into a folder and return their places in it.

    Raises:
        ValueError: the folder holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(
            f"{folder} exists already and is not empty; name another folder, or remove it first"
        )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
        return sorted(archive.namelist())


def push_hub(folder: Path, repository: str) -> str:
    """Send a folder to the hub as a private repository and return its address.

    The library takes the hub's token from HF_TOKEN, or from its own login. A repository that is there
    already stays as public as it is.

    Raises:
        ValueError: the library is missing, or the hub refuses.
    """
    try:
        hub: Any = import_module("huggingface_hub")
    except ImportError:
        raise ValueError("pushing needs the library: pip install huggingface_hub") from None
    api = hub.HfApi()
    try:
        address = api.create_repo(repository, private=True, exist_ok=True)
        api.upload_folder(folder_path=folder, repo_id=repository, commit_message="Network found by edgenas")
    except Exception as error:  # the library's own, and those of whatever it sends with
        raise ValueError(
            f"the hub did not take {repository}: {str(error) or type(error).__name__:.300}"
        ) from error
    return str(address)
