"""The notebook of the docs: what it holds is what the source says, and every cell of code was run."""

import json

import pytest

from scripts.notebook import NOTEBOOK, PAGE, as_page, executed, read_cells


def test_the_kept_notebook_has_the_cells_of_its_source_and_their_outputs() -> None:
    kept = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = read_cells()
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in kept["cells"]] == [
        (cell.kind, cell.text) for cell in cells
    ]
    code = [cell for cell in kept["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] for cell in code)
    page = PAGE.read_text(encoding="utf-8")
    for cell in cells:
        assert cell.text in page


@pytest.mark.parametrize(
    ("text", "stdout", "plain"),
    [("x = 2\nprint(x)", "2\n", ""), ("y = 3\ny * 2", "", "6"), ("print('a')\n'b'", "a\n", "'b'")],
)
def test_a_cell_gives_what_it_prints_and_its_last_value(text: str, stdout: str, plain: str) -> None:
    first = read_cells()[0]
    (cell,) = executed([type(first)("code", text)], {})
    assert (cell.stdout, cell.plain) == (stdout, plain)
    assert text in as_page([cell])
