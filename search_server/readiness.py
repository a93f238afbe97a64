"""Whether the database can be used as it is."""

from sqlalchemy.exc import OperationalError

from search_server.db.migrate import is_at_head
from search_server.db.session import Database
from search_server.errors import UnavailableError


def require_ready(database: Database) -> None:
    """Check that the database can be used.

    Raises:
        UnavailableError: it does not answer, or has the schema of another version.
    """
    try:
        at_head = is_at_head(database.engine)
    except OperationalError as error:
        raise UnavailableError(
            "no_database",
            f"the database does not answer ({str(error.orig).strip()}); is it running, and is "
            "EDGENAS_DATABASE_URL right?",
        ) from error
    if not at_head:
        raise UnavailableError(
            "not_migrated",
            "the database has the schema of another version; run 'search-server migrate', then start again",
        )
