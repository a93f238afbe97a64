"""What the OpenAPI document says of errors, and a title for each schema, by which clients are made."""

from typing import Any

from fastapi import FastAPI

from search_server.errors import UnavailableError
from search_server.routes.error_answers import PROBLEM_JSON

_RETRY_AFTER = {"description": "seconds", "schema": {"type": "integer", "minimum": 0}}


def document_errors(app: FastAPI) -> None:
    """Make the app's document name the media type that errors have; FastAPI takes that of the answer."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            for methods in document["paths"].values():
                for operation in methods.values():
                    _mend(operation["responses"])
            _title(document["components"]["schemas"])
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it


def _title(schemas: dict[str, Any]) -> None:
    """Give each schema a title of its own: generators make one class for all that have the same."""
    for name, schema in schemas.items():
        schema["title"] = name.replace("_", "")


def _mend(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        if status.startswith(("4", "5")):
            response["content"] = dict.fromkeys([PROBLEM_JSON], *response["content"].values())
    busy = responses.get(str(UnavailableError.status))
    if busy is not None:
        busy["headers"] = {"Retry-After": _RETRY_AFTER}
