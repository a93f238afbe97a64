"""Fields of the form that submits a search: one for each option of a request, from the option itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from search_server.option_field import Option, options_of
from search_server.resources.searches import SearchCreate
from search_server.search_options import PRESETS

_ELSEWHERE = ("target_ms", "name", "snapshot", "private", "class_names")
"""What the form asks in another place, or not at all."""

_FIRST = ("loss", "max_macs", "max_params", "epochs", "train_epochs", "seed")


@dataclass(frozen=True, slots=True)
class FormField:
    """One option as a form shows it; left empty, it has the value of the preset."""

    name: str
    label: str
    help: str
    kind: str
    """``choice``, ``int``, ``float`` or ``text``."""
    choices: tuple[str, ...]
    default: str
    presets: Mapping[str, str]
    """Its value by preset, where that is not the default."""


def form_fields() -> Mapping[str, tuple[FormField, ...]]:
    """Return the fields by place: ``preset``, ``first``, and the folded ``more`` and ``advanced``."""
    options = {name: each for name, each in options_of(SearchCreate).items() if name not in _ELSEWHERE}
    places = {name: _place(each) for name, each in options.items()}
    return {
        place: tuple(_field(options[name]) for name in _in_order(options) if places[name] == place)
        for place in ("preset", "first", "more", "advanced")
    }


def _in_order(options: Iterable[str]) -> list[str]:
    """Return the names with those that come first in the order in which a form asks them."""
    return [*_FIRST, *(name for name in options if name not in _FIRST)]


def _place(option: Option) -> str:
    if option.name == "preset":
        return "preset"
    if option.name in _FIRST:
        return "first"
    return "advanced" if option.group == "Advanced" else "more"


def _field(option: Option) -> FormField:
    is_bool = option.kind is bool
    kinds = {int: "int", float: "float"}
    by_preset = {name: values[option.name] for name, values in PRESETS.items() if option.name in values}
    return FormField(
        name=option.name,
        label=option.name.replace("_", " ").replace("macs", "MACs"),
        help=f"{option.help[:-1]} ({option.limits})." if str(option.limits) else option.help,
        kind="choice" if is_bool or option.choices else kinds.get(option.kind, "text"),
        choices=("yes", "no") if is_bool else option.choices,
        default=_shown(option.default),
        presets={name: _shown(value) for name, value in by_preset.items()},
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
