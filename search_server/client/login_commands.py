"""``edgenas login`` and ``logout``: the server and the token of this user, kept on this machine."""

import os
from typing import Annotated

import typer
from rich.markup import escape

from search_server.client.commands import TokenFileOption, command, err, read_token
from search_server.client.login import (
    SERVER_VARIABLE,
    TOKEN_VARIABLE,
    Login,
    forget_login,
    keep_login,
)
from search_server.client.search_client import SearchClient


def add_commands(app: typer.Typer) -> None:
    """Add both to the root command."""
    command(app, "login")(login)
    command(app, "logout")(logout)


def login(
    server: Annotated[str, typer.Argument(metavar="URL", help="Where the server listens.")],
    token_file: TokenFileOption = None,
) -> None:
    """Keep a server's address and your token, so that later commands and SearchClient() need neither.

    It asks for the token, which 'search-server token create --scope user' prints, and tries it. Both are
    kept in a file that only you can read. EDGENAS_SERVER_URL and EDGENAS_TOKEN win over it.

    Example: edgenas login http://server:8000
    """
    token = read_token(token_file) if token_file else typer.prompt("Token", hide_input=True, err=True)
    with SearchClient(server, token.strip()) as client:
        client.data_sets()  # any route that takes a token tells whether this one is valid
        path = keep_login(Login(client.server_url, token.strip()))
    err.print(f"logged in at {escape(client.server_url)}; kept in {escape(str(path))}", soft_wrap=True)
    for variable in (SERVER_VARIABLE, TOKEN_VARIABLE):
        if os.environ.get(variable):
            err.print(f"{variable} is set and wins over it; to use the login: unset {variable}")


def logout() -> None:
    """Forget the server and the token that login kept; the token stays valid until an operator ends it.

    Example: edgenas logout
    """
    err.print("logged out" if forget_login() else "there was no login")
