"""``python -m scripts.reference``: write the pages of search options and of settings anew, from the code.

They lie in the repository, where a reader without a built book finds them; tests hold them to the code.
"""

from pathlib import Path

from scripts.reference_pages import settings_page
from search_server.option_field import Option, options_of
from search_server.resources.searches import SearchCreate
from search_server.search_options import PRESETS, SearchOptions

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
PAGE = FOLDER / "search-options.md"
SETTINGS_PAGE = FOLDER / "settings.md"

HEAD = """\
# Options of a search

`python -m scripts.reference` writes this page from the fields of `SearchOptions` and `SearchCreate`.

Every option is a field of `POST /searches`, a key of a job file and, with the flag named here, an option of
`edgenas search submit`. A request also names `device`, `space` and `data`, and may hold `conditions` and
further devices in `also`. `--classes N` sets `num_classes`, and `--classes FILE` sets `class_names`.

What is not given is that of the preset (`preset`), and stands in the stored request: a preset that changes
later changes no earlier search. `fbnet-paper` is FBNet's search (arXiv 1812.03443, section 4.1).
"""

COLUMNS = ("option", "command line", "values", "default", "with `fbnet-paper`", "what it is")


def page() -> str:
    """Return the page as it should be."""
    of_search = options_of(SearchOptions)
    of_request = {name: each for name, each in options_of(SearchCreate).items() if name not in of_search}
    sections = {
        "Of the search": [each for each in of_search.values() if each.group == "Options"],
        "Of the request: what happens around the search": list(of_request.values()),
        "Of the search, advanced": [each for each in of_search.values() if each.group == "Advanced"],
    }
    return "\n".join([HEAD, *(_section(title, options) for title, options in sections.items())])


def _section(title: str, options: list[Option]) -> str:
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(_row(each) for each in options)]
    return "\n".join([f"## {title}", "", *(f"| {' | '.join(row)} |" for row in rows), ""])


def _row(option: Option) -> tuple[str, ...]:
    paper = PRESETS["fbnet-paper"].get(option.name)
    kind = {bool: "yes or no", int: "whole number", float: "number", str: "text"}.get(option.kind, "list")
    values = ", ".join(f"`{choice}`" for choice in option.choices) or kind
    limits = f", {option.limits}" if str(option.limits) else ""
    unit = f", {option.unit}" if option.unit else ""
    return (
        f"`{option.name}`",
        f"`{option.flag}`" if option.flag else "",
        f"{values}{limits}{unit}",
        _shown(option.default),
        "" if paper is None else _shown(paper),
        option.help,
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value in (None, ()) else str(value)


def main() -> None:
    """Write both pages."""
    PAGE.write_text(page(), encoding="utf-8")
    SETTINGS_PAGE.write_text(settings_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
