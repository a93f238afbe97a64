"""``python -m scripts.notebook``: run the notebook of the docs on a simulated device, and keep its outputs.

Server, worker and agent are started for it and stopped again. It is written as a notebook, and as a page of
the book with the same cells.
"""

import ast
import contextlib
import io
import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

from scripts.local_services import local_services, wait_for_device
from search_server.resources.devices import DeviceUpdate

FOLDER = Path(__file__).parents[1] / "docs" / "how-to"
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
SOURCE = Path(__file__).with_name("notebook_cells.md")
NOTEBOOK, PAGE = FOLDER / "notebook.ipynb", FOLDER / "notebook.md"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell, and what it gave."""

    kind: Literal["markdown", "code"]
    text: str
    stdout: str = ""
    plain: str = ""
    html: str = ""


def read_cells() -> list[Cell]:
    """Return the cells of the notebook, not yet run: fenced code is code, what stands between is text."""
    parts = re.split(r"^```python\n(.*?)^```$", SOURCE.read_text(encoding="utf-8"), flags=re.M | re.S)
    kinds: cycle[Literal["markdown", "code"]] = cycle(("markdown", "code"))
    cells = (Cell(kind, part.strip()) for kind, part in zip(kinds, parts, strict=False))
    return [cell for cell in cells if cell.text]


def executed(cells: Sequence[Cell], names: dict[str, Any]) -> list[Cell]:
    """Run the code of cells in their order, all in one namespace, and return them with what they gave."""
    return [cell if cell.kind == "markdown" else _run(cell.text, names) for cell in cells]


def _run(text: str, names: dict[str, Any]) -> Cell:
    statements = ast.parse(text).body
    last = statements.pop() if isinstance(statements[-1], ast.Expr) else None
    stdout = io.StringIO()
    value: Any = None
    with contextlib.redirect_stdout(stdout):
        exec(compile(ast.Module(statements, []), "<cell>", "exec"), names)  # our own cells
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    html = value._repr_html_() if hasattr(value, "_repr_html_") else ""
    return Cell("code", text, stdout.getvalue(), "" if value is None else repr(value), html)


def as_notebook(cells: list[Cell]) -> str:
    """Return a notebook of format 4.5."""
    document = {
        "cells": [_notebook_cell(index, cell) for index, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _notebook_cell(index: int, cell: Cell) -> dict[str, Any]:
    common = {"cell_type": cell.kind, "id": f"cell-{index}", "metadata": {}}
    source = cell.text.splitlines(keepends=True)
    if cell.kind == "markdown":
        return {**common, "source": source}
    outputs: list[dict[str, Any]] = []
    if cell.stdout:
        outputs.append(
            {"output_type": "stream", "name": "stdout", "text": cell.stdout.splitlines(keepends=True)}
        )
    if cell.plain:
        kinds = {"text/plain": cell.plain, "text/html": cell.html}
        data = {kind: text.splitlines(keepends=True) for kind, text in kinds.items() if text}
        outputs.append(
            {"output_type": "execute_result", "execution_count": index, "metadata": {}, "data": data}
        )
    return {**common, "source": source, "execution_count": index, "outputs": outputs}


def as_page(cells: list[Cell]) -> str:
    """Return the same as a page of the book."""
    parts: list[str] = []
    for cell in cells:
        if cell.kind == "markdown":
            parts.append(cell.text)
            continue
        parts.append(f"```python\n{cell.text}\n```")
        shown = cell.stdout + ("" if cell.html else cell.plain)
        if shown:
            parts.append(f"```text\n{shown.rstrip()}\n```")
        if cell.html:
            parts.append("".join(map(str.strip, _STYLE.sub("", cell.html).splitlines())))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Run the cells against services of their own, and write notebook and page."""
    os.environ["EDGENAS_AGENT_RUNTIME"] = "simulated"  # so the page can be made on any machine
    with tempfile.TemporaryDirectory() as folder, local_services(Path(folder)) as (client, _):
        client.update_device(wait_for_device(client), DeviceUpdate(name="board"))
        os.environ["EDGENAS_SERVER_URL"] = client.server_url
        os.environ["EDGENAS_TOKEN"] = (Path(folder) / "user-token").read_text()
        cells = executed(read_cells(), {})
    NOTEBOOK.write_text(as_notebook(cells), encoding="utf-8")
    PAGE.write_text(as_page(cells), encoding="utf-8")
    print(NOTEBOOK)


if __name__ == "__main__":
    main()
