"""Charts as SVG, in plain text: points, lines and bars in a frame with two axes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

INK, GRID = "#333333", "#dddddd"
BLUE, ORANGE, GREY = "#1f6fb4", "#d9730d", "#999999"
_TEXT = 'font-family="sans-serif" font-size="12"'
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 30, 42
"""Space around a frame, pixels."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One frame with two axes; marks are added to it in the order in which they lie on each other."""

    title: str
    x_name: str
    y_name: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    width: int = 640
    """Of the whole chart, pixels; with ``height``."""
    height: int = 220
    marks: list[str] = field(default_factory=list)

    def x(self, value: float) -> float:
        """Return where a value of the horizontal axis lies, pixels."""
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return where a value of the vertical axis lies, pixels."""
        low, high = self.y_range
        return self.height - BOTTOM - (value - low) / (high - low) * (self.height - TOP - BOTTOM)

    def points(self, at: Sequence[tuple[float, float]], colour: str = BLUE, radius: float = 1.6) -> None:
        """Draw a dot at each place."""
        style = f'r="{radius}" fill="{colour}" fill-opacity="0.6"'
        self.marks.extend(f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" {style}/>' for x, y in at)

    def line(self, at: Sequence[tuple[float, float]], colour: str = INK, dashes: str = "") -> None:
        """Draw a line through places."""
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in at)
        style = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.marks.append(f'<polyline points="{path}" fill="none" stroke="{colour}"{style}/>')

    def bar(self, x: float, width: float, y: float, height: float, colour: str) -> None:
        """Draw a filled rectangle from (x, y) to (x + width, y + height)."""
        left, top = self.x(x), self.y(y + height)
        size = f'width="{max(0.6, self.x(x + width) - left):.1f}" height="{self.y(y) - top:.1f}"'
        self.marks.append(f'<rect x="{left:.1f}" y="{top:.1f}" {size} fill="{colour}"/>')

    def svg(self, top: int = 0) -> str:
        """Return the chart, moved down by so many pixels."""
        left, right, bottom = LEFT, self.width - RIGHT, self.height - BOTTOM
        parts = [f'<g transform="translate(0 {top})">', _text(left, 18, self.title, weight="bold")]
        for value in self.y_ticks:
            y = self.y(value)
            parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="{GRID}"/>')
            parts.append(_text(left - 6, y + 4, f"{value:g}", anchor="end"))
        parts += [_text(self.x(x), bottom + 16, f"{x:g}", anchor="middle") for x in self.x_ticks]
        parts += self.marks
        parts.append(f'<path d="M{left} {TOP}V{bottom}H{right}" fill="none" stroke="{INK}"/>')
        parts.append(_text((left + right) / 2, bottom + 34, self.x_name, anchor="middle"))
        middle = (TOP + bottom) / 2
        parts.append(
            f'<text x="14" y="{middle}" {_TEXT} fill="{INK}" text-anchor="middle" '
            f'transform="rotate(-90 14 {middle})">{escape(self.y_name)}</text>'
        )
        return "\n".join([*parts, "</g>"])


def page(charts: Sequence[Chart]) -> str:
    """Return a document with charts one below the other."""
    tops = [sum(chart.height for chart in charts[:index]) for index in range(len(charts))]
    width, height = max(chart.width for chart in charts), sum(chart.height for chart in charts)
    body = "\n".join(chart.svg(top) for chart, top in zip(charts, tops, strict=True))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">'
    return f'{head}\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'


def _text(
    x: float, y: float, words: str, anchor: str = "start", colour: str = INK, weight: str = "normal"
) -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {_TEXT} {style}>{escape(words)}</text>'
