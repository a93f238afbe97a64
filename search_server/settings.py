"""Settings of the server: flags, then ``EDGENAS_*`` variables, then ``edgenas.toml``, then defaults."""

import os
import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from search_server.data_roots import DataRoots
from search_server.engines.choice import EngineName
from search_server.logs import LogFormat, LogLevel
from search_server.search_options import AcceleratorName
from search_server.store import Store


class Settings(BaseSettings):
    """What an operator can set; read in ``app.py`` and ``__main__`` only."""

    model_config = SettingsConfigDict(
        env_prefix="EDGENAS_", toml_file="edgenas.toml", extra="forbid", use_attribute_docstrings=True
    )

    data: Path = Path(".edgenas")
    """Folder for the default database, model files, checkpoints and exports."""
    store: str | None = None
    """Where jobs leave model files, checkpoints and exports: a URL such as ``file:///srv/edgenas`` or
    ``s3://bucket/edgenas``; None: the data folder. Server and workers need the same, and no common disk."""
    database_url: str | None = None
    """``postgresql://user@host/name`` or ``sqlite:///path``; None: SQLite in the data folder."""
    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0: all of this machine."""
    port: int = Field(default=8000, ge=1, le=65535)
    """The port to listen on."""
    public_url: str | None = None
    """The address by which devices reach this server, such as ``https://nas.example.org``; None: the one by
    which a caller reaches it."""
    max_request_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    """The largest body that a request may have."""
    agent_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks in which the server may call agents, as CIDR; none: agents dial out only."""
    max_queued_jobs: int = Field(default=100, ge=1)
    """Unfinished jobs that one user may have; administrators are not counted."""
    max_requests_per_minute: int = Field(default=6000, ge=0)
    """Requests that one token of scope user may send to a process in a minute; 0: no limit. Agents and
    administrators are not counted."""
    max_import_bytes_per_hour: int = Field(default=4 * 1024**3, ge=0)
    """Bytes of imported files and models that one user may send to a process in an hour; 0: no limit."""
    data_roots: Annotated[tuple[Path, ...], NoDecode] = ()
    """Folders from which searches may read images, with a colon between them (a list in edgenas.toml);
    none: the folder ``images`` in the data folder. Server and worker need the same."""
    teachers: Annotated[tuple[str, ...], NoDecode] = ()
    """Functions without arguments that return a trained torch module which searches may take as a teacher,
    such as ``laboratory.teachers:resnet50``, with commas between them (a list in edgenas.toml). It gets
    images as trainings do and answers logits. Server and worker need the same."""
    tensorboard: Path | None = None
    """Folder for event files of searches, a folder each; None: none are written."""
    mlflow: str | None = None
    """Address of an MLflow store in which searches are noted: a server, a database or a folder; None: in
    none."""
    wandb: str | None = None
    """Project of Weights & Biases in which searches are noted; None: in none."""
    accelerator: AcceleratorName = "auto"
    """What searches compute on; auto: the first that torch can use of cuda, mps and cpu."""

    engine: EngineName = "local"
    """Where the processes of a job run: local (this machine) or ray (a Ray cluster)."""
    processes: int = Field(default=1, ge=1, le=4096)
    """Most processes of a job: each step of a search that begins has so many shards, and so many networks
    are tried out or trained at the same time. Other numbers of shards make other searches."""
    ray_address: str | None = None
    """The head of the Ray cluster, ``host:port``; None: the cluster of this host."""

    retention_days: int | None = Field(default=None, ge=1)
    """How old samples become before only their summaries are kept; None: they are kept for ever."""
    log_level: LogLevel = "info"
    """The least urgent lines that are logged: debug, info, warning or error."""
    log_format: LogFormat = "auto"
    """Lines for people (text) or one JSON object each (json); auto: text on a terminal."""

    @field_validator("data_roots", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, value.split(os.pathsep))) if isinstance(value, str) else value

    @field_validator("teachers", mode="before")
    @classmethod
    def _split_teachers(cls, value: object) -> object:
        names = value.split(",") if isinstance(value, str) else value
        return tuple(filter(None, map(str.strip, names))) if isinstance(names, list | tuple) else names

    @field_validator("teachers")
    @classmethod
    def _check_teachers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
                raise ValueError(f"teacher {name!r} must be written MODULE:FUNCTION")
        return value

    @property
    def image_roots(self) -> DataRoots:
        """Where the images of searches lie."""
        return DataRoots(self.data_roots or (self.data / "images",))

    @property
    def job_store(self) -> Store:
        """Where jobs leave their files.

        Raises:
            ValueError: nothing here reads such a URL.
        """
        return Store.at(self.data if self.store is None else self.store)

    @property
    def url(self) -> str:
        """The address of the database."""
        return self.database_url or f"sqlite:///{self.data.absolute() / 'edgenas.db'}"

    @property
    def uses_default_database(self) -> bool:
        return self.database_url is None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the strongest first."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
