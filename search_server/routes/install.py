"""What a device fetches to install the agent: script, wheel and pins. Nothing secret, so no token."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response

from search_server.errors import InvalidValueError, NotFoundError
from search_server.install.agent_wheel import agent_wheel
from search_server.install.command import enrolment_lines, install_command
from search_server.install.requirements import agent_requirements
from search_server.install.script import SCRIPT_PATH, install_script
from search_server.resources.devices import Enrolment, InstallCommand
from search_server.routes.auth import UserDep
from search_server.routes.context import ContextDep, NowDep
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.sessions import SessionDep
from search_server.routes.transaction_route import TransactionRoute
from search_server.tokens import ENROLMENT_TTL, create_enrolment, token_id_of

router = APIRouter(include_in_schema=False)
api_router = APIRouter(tags=["devices"], responses=ERROR_RESPONSES, route_class=TransactionRoute)

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@router.get(SCRIPT_PATH)
def agent_script(request: Request) -> Response:
    """The installer for POSIX shells; it knows the address by which it was fetched."""
    try:
        text = install_script(str(request.base_url))
    except ValueError as error:  # the Host header is the caller's
        raise InvalidValueError("invalid_host", str(error)) from error
    return PlainTextResponse(text, headers=_HEADERS, media_type="text/x-shellscript")


def _caller_install_command(request: Request, context: ContextDep) -> InstallCommand:
    try:
        return install_command(str(request.base_url), context.public_url)
    except ValueError as error:
        raise InvalidValueError("invalid_host", str(error)) from error


InstallCommandDep = Annotated[InstallCommand, Depends(_caller_install_command)]


@api_router.get("/install")
def get_install_command(_: UserDep, command: InstallCommandDep) -> InstallCommand:
    """Return the line that installs and enrols the agent of a device."""
    return command


@api_router.post("/enrolments", status_code=201)
def create_enrolment_token(
    caller: UserDep, command: InstallCommandDep, session: SessionDep, now: NowDep
) -> Enrolment:
    """Make a token with which one device enrols within an hour, and the lines that use it.

    The device will belong to the caller. Who has 20 such tokens unused gets no more.
    """
    token = create_enrolment(session, caller, now)
    board, phone, container = enrolment_lines(command, token)
    expires_at = (now + ENROLMENT_TTL).isoformat()
    return Enrolment(
        token_id_of(token), token, expires_at, command.server_url, command.note, board, phone, container
    )


@router.get("/install/requirements.txt")
def requirements() -> Response:
    """The agent's dependencies, each with its version."""
    return PlainTextResponse(agent_requirements(), headers=_HEADERS)


@router.get("/install/{name}")
def wheel(name: str) -> Response:
    """The agent's wheel."""
    packed = agent_wheel()
    if name != packed.name:
        raise NotFoundError("unknown_file", f"no file /install/{name}; the wheel is {packed.name}")
    return Response(packed.content, headers=_HEADERS, media_type="application/zip")
