// A map of layers down and candidate blocks across, as a table: readable, reachable by keyboard.

import { h } from "./dom.js";

// From fast (dark blue) to slow (yellow); lightness alone tells the order too.
const COLOURS = [[38, 70, 111], [42, 120, 142], [53, 167, 124], [163, 206, 79], [253, 216, 53]];

// From faster (blue) over alike (near white) to slower (orange); words and numbers tell it too.
const BOTH_WAYS = [[31, 97, 141], [127, 179, 213], [244, 244, 240], [235, 164, 100], [176, 84, 20]];

/** Return `[background, ink]` for a place 0..1 on the scale. */
export const colour = (place) => painted(COLOURS, place);

/** Return the same for a place that is 0.5 where two things are alike. */
export const bothWays = (place) => painted(BOTH_WAYS, place);

function painted(colours, place) {
  const scaled = Math.min(Math.max(place, 0), 1) * (colours.length - 1);
  const index = Math.min(Math.floor(scaled), colours.length - 2);
  const mixed = colours[index].map((from, channel) =>
    Math.round(from + (colours[index + 1][channel] - from) * (scaled - index)));
  const [red, green, blue] = mixed.map((channel) => (channel / 255) ** 2.2);
  // Black or white, whichever has the higher contrast by WCAG.
  const ink = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000000" : "#ffffff";
  return [`rgb(${mixed.join(" ")})`, ink];
}

/** Return the place of a value between two bounds on a logarithmic scale, 0..1. */
export function logPlace(value, low, high) {
  return high > low ? Math.log(value / low) / Math.log(high / low) : 0.5;
}

/**
 * Return the table. `rows` is `[{name, cells}]`; a cell is
 * `{text, place, kind, label, id, chosen, onpress, onpoint}`, where `place` is null for no colour; `name` and
 * `text` may be elements. `paint` turns a place into colours.
 */
export function heatMap(columns, rows, caption, paint = colour) {
  const head = h("tr", {}, h("td", {}), columns.map((name) => h("th", { scope: "col" }, name)));
  const body = rows.map(({ name, cells }) =>
    h("tr", {}, h("th", { scope: "row" }, name), cells.map((cell) => heatCell(cell, paint))));
  const map = h("table", { class: "heat-map" }, h("caption", { class: "visually-hidden" }, caption),
    h("thead", {}, head), h("tbody", {}, body));
  if (map.querySelector("button")) moveByArrows(map);
  return map;
}

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Make the map one stop of the Tab key: arrows move inside it, and leave out what cannot be pressed. */
function moveByArrows(map) {
  const buttonAt = (row, column) => map.tBodies[0].rows[row]?.cells[column]?.querySelector("button");
  const buttons = [...map.querySelectorAll("button")];
  for (const button of buttons) button.tabIndex = -1;
  (buttons.find((button) => button.ariaPressed === "true") ?? buttons[0]).tabIndex = 0;
  map.addEventListener("focusin", ({ target }) => {
    for (const button of buttons) button.tabIndex = button === target ? 0 : -1;
  });
  map.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    const cell = event.target.closest("td");
    if (!move || !cell) return;
    event.preventDefault(); // the page does not scroll as well
    let [row, column] = [cell.parentElement.sectionRowIndex, cell.cellIndex];
    do {
      row += move[0];
      column += move[1];
    } while (map.tBodies[0].rows[row]?.cells[column] && !buttonAt(row, column));
    buttonAt(row, column)?.focus();
  });
}

function heatCell(cell, paint) {
  if (!cell) return h("td", { class: "empty" });
  const inside = cell.onpress
    ? h("button", {
      type: "button", "aria-pressed": String(Boolean(cell.chosen)), "data-id": cell.id,
      "aria-label": `${cell.text} ${cell.label}`, // begins with what is seen, so that it can be said
      onclick: cell.onpress, onfocus: cell.onpoint, onmouseenter: cell.onpoint,
    }, cell.text)
    : h("span", { title: cell.label }, cell.text);
  const element = h("td", { class: cell.kind ?? null }, inside);
  if (cell.place !== null) {
    const [background, ink] = paint(cell.place);
    inside.style.setProperty("--cell", background);
    inside.style.setProperty("--cell-ink", ink);
  }
  return element;
}

/** Return a bar that explains the colours. */
export function legend(low, high, notes = [], paint = colour) {
  const steps = Array.from({ length: 24 }, (_, index) => {
    const step = h("i", {});
    step.style.setProperty("background", paint(index / 23)[0]);
    return step;
  });
  return [low, h("span", { class: "scale", "aria-hidden": "true" }, steps), high,
    ...notes.map(([kind, text]) => h("span", { class: "note" }, h("span", { class: `swatch ${kind}` }), text))];
}
