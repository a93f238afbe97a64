"""What all jobs have, over HTTP: names and notes."""

from fastapi import APIRouter

from search_server.jobs.registry import job_resource, update_job
from search_server.resources.jobs import Job, JobUpdate
from search_server.routes.auth import UserDep
from search_server.routes.context import NowDep
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.sessions import SessionDep
from search_server.routes.transaction_route import TransactionRoute

router = APIRouter(tags=["jobs"], responses=ERROR_RESPONSES, route_class=TransactionRoute)


@router.patch("/jobs/{job_id}")
def patch_job(caller: UserDep, job_id: str, change: JobUpdate, session: SessionDep, now: NowDep) -> Job:
    """Change the name or the note of a profile, measurement, check, search or gate."""
    return job_resource(session, update_job(session, job_id, change, caller), now)
