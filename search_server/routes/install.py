"""What a device fetches to install the agent: script, wheel and pins. Nothing secret, so no token."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from search_server.errors import InvalidValueError, NotFoundError
from search_server.install.agent_wheel import agent_wheel
from search_server.install.requirements import agent_requirements
from search_server.install.script import SCRIPT_PATH, install_script

router = APIRouter(include_in_schema=False)

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@router.get(SCRIPT_PATH)
def agent_script(request: Request) -> Response:
    """The installer for POSIX shells; it knows the address by which it was fetched."""
    try:
        text = install_script(str(request.base_url))
    except ValueError as error:  # the Host header is the caller's
        raise InvalidValueError("invalid_host", str(error)) from error
    return PlainTextResponse(text, headers=_HEADERS, media_type="text/x-shellscript")


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
