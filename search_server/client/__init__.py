"""What a person uses: the typed client of the REST interface and the command ``edgenas``."""

from search_server.client.async_search_client import AsyncSearchClient
from search_server.client.errors import (
    SearchClientError,
    ServerRefusedError,
    ServerUnreachableError,
    UnexpectedAnswerError,
)
from search_server.client.rows import Records, Rows
from search_server.client.search_client import SearchClient

__all__ = [
    "AsyncSearchClient",
    "Records",
    "Rows",
    "SearchClient",
    "SearchClientError",
    "ServerRefusedError",
    "ServerUnreachableError",
    "UnexpectedAnswerError",
]
