"""A client's methods, made of the functions that describe requests and those that send them."""

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, get_args

A = TypeVar("A")
C = TypeVar("C")
P = ParamSpec("P")
R = TypeVar("R")


def method(build: Callable[P, A], send: Callable[[C, A], R]) -> Callable[Concatenate[C, P], R]:
    """Return a client's method that takes the arguments of ``build`` and sends what it builds."""

    def call(client: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return send(client, build(*args, **kwargs))

    call.__name__, call.__doc__ = build.__name__, build.__doc__
    call.__signature__ = _signature(build, send)  # type: ignore[attr-defined]  # what help() shows
    return call


def _signature(build: Callable[..., Any], send: Callable[..., Any]) -> inspect.Signature:
    """Return the arguments of ``build`` and, as the answer, that of ``send`` for what ``build`` asks."""
    built, sent = inspect.signature(build), inspect.signature(send)
    client, asked = sent.parameters.values()
    answer, asks, returned = built.return_annotation, asked.annotation, sent.return_annotation
    while get_args(asks):  # Request[Page[T]] and Request[Page[Search]]: T is a Search
        answer, asks = get_args(answer)[0], get_args(asks)[0]
    if returned is asks:
        returned = answer
    elif getattr(returned, "__parameters__", ()):
        returned = returned[answer]
    return inspect.Signature([client, *built.parameters.values()], return_annotation=returned)
