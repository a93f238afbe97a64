"""The teacher that a search names: is it there, may it be used, and does it fit?"""

from collections.abc import Collection

from sqlalchemy.orm import Session

from search_server.db.models import JobRow
from search_server.errors import ConflictError, refusing_values
from search_server.jobs.registry import find_job
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import SearchCreate
from shared.protocol.wire import from_dict
from shared.search_space import SearchSpace, search_space


def is_function(teacher: str) -> bool:
    """Return whether a teacher is a ``MODULE:FUNCTION``, not a search."""
    return ":" in teacher


def check_teacher(
    session: Session, create: SearchCreate, space: SearchSpace, functions: Collection[str]
) -> None:
    """Return if a search names no teacher, or one that it may have.

    Args:
        session: sees the searches that the caller may see.
        create: the search that is asked for.
        space: that of the search.
        functions: what the operator lists.

    Raises:
        ValueError: a function is not listed; the teacher saw other images or other classes.
        ConflictError: the search that is named trained no network, or has not yet.
        NotFoundError: there is no such search.
    """
    if create.teacher is None:
        return
    with refusing_values("body.teacher"):
        if is_function(create.teacher):
            require_listed(create.teacher, functions)
            return
        job = find_job(session, create.teacher, "search")
        taught = search_space(str(job.space))
        if (taught.resolution, taught.num_classes) != (space.resolution, space.num_classes):
            raise ValueError(
                f"search {job.job_id} was trained on {taught.num_classes} classes at {taught.resolution} x "
                f"{taught.resolution}, this one has {space.num_classes} at {space.resolution} x "
                f"{space.resolution}; name a teacher of the same"
            )
    taught_network(job)


def require_listed(function: str, functions: Collection[str]) -> None:
    """Return if an operator lists the function: whatever else could be imported stays out of reach.

    Raises:
        ValueError: it is not listed.
    """
    if function not in functions:
        raise ValueError(
            f"teacher {function!r} is none of this server's ({', '.join(functions) or 'it lists none'}); "
            "an operator adds it with EDGENAS_TEACHERS, or give the id of a finished search"
        )


def taught_network(job: JobRow) -> FoundArchitecture:
    """Return the trained network that a search has found.

    Raises:
        ConflictError: it has none.
    """
    found = from_dict(job.result, FoundArchitecture) if job.result else None
    if found is None or found.test_accuracy is None:
        raise ConflictError(
            "no_teacher",
            f"search {job.job_id} is {job.status} and has no trained network to teach; name one that is "
            "done and was trained",
        )
    return found
