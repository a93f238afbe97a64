"""What can go wrong between a client and the server.

::

    SearchClientError
    ├── ServerUnreachableError    no answer came
    ├── ServerRefusedError        the server answered with an error body
    └── UnexpectedAnswerError     an answer came, but not in the form that this client knows
"""

from shared.protocol.wire import ErrorBody


class SearchClientError(Exception):
    """A request did not succeed; the message says what to do next."""


class ServerUnreachableError(SearchClientError):
    """No answer came from this address."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"no answer from {url}: {reason}; start a server with 'search-server serve', "
            "or give its address in EDGENAS_SERVER_URL or --server"
        )
        self.url = url


class ServerRefusedError(SearchClientError):
    """The server understood the request and said no; ``body`` says why."""

    def __init__(self, body: ErrorBody) -> None:
        said = (error for error in body.errors if error.message != body.detail)
        faults = "".join(f"\n  {error.path}: {error.message}" for error in said)
        super().__init__(f"{body.detail or body.title}{faults}")
        self.body = body

    @property
    def status(self) -> int:
        """The HTTP status, 400..599."""
        return self.body.status


class UnexpectedAnswerError(SearchClientError):
    """Client and server do not speak the same version, or another program answered."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"{url} did not answer as an edgenas server of this version does: {reason}; "
            "check the address, and that client and server have the same version"
        )
        self.url = url
