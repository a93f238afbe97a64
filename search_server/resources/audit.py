"""The audit trail: who changed what, when and from where."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One changing request, carried out or refused, or one command on the server."""

    audit_id: int
    at: str
    user: str
    """Whose token it was; of a command: who ran it, after ``os:``."""
    scope: str
    """Of the token; ``command``: typed on the server."""
    action: str
    """Method and route, such as ``POST /searches/{job_id}/cancel``, or the command."""
    subject: str
    """What it was about: identifiers, separated by spaces."""
    status: int
    """The answer's, such as 201, or 403 where it was refused."""
    address: str
    """Where the request came from."""
    token_id: str | None = None
    request_id: str | None = None
    """It stands in the log lines of the request, too."""
