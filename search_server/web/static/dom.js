// Elements from plain values; text is always text, never markup.

import { ago, utc } from "./format.js";

/** Return an element: `h("p", {class: "hint"}, "text", child)`. Handlers are given as `onclick`. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Return the element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Fill an element that was waiting for data. */
export function fill(element, ...children) {
  element.removeAttribute("aria-busy");
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

/** Fill an element anew only if what it shows has changed: words and input in it stay, and so does the focus. */
export function refill(element, shown, build) {
  const key = JSON.stringify(shown);
  if (element.shown === key) return;
  element.shown = key;
  const stops = () => [...element.querySelectorAll("a, button, input, select, summary")];
  const focused = stops().indexOf(document.activeElement);
  fill(element, build());
  if (focused >= 0) stops()[focused]?.focus();
}

let numFields = 0;

/** Return a labelled field of a form; `control` is an input, select or textarea. */
export function field(label, control, hint = null) {
  control.id ||= `field-${numFields += 1}`;
  const words = hint ? h("small", { class: "hint", id: `${control.id}-hint` }, hint) : null;
  if (words) control.setAttribute("aria-describedby", words.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, words);
}

/** Return a select; options are texts, or `[value, text]`. */
export function choice(options, chosen = null, attributes = {}) {
  return h("select", attributes, options.map((option) => {
    const [value, text] = Array.isArray(option) ? option : [option, option];
    return h("option", { value, selected: value === chosen }, text);
  }));
}

/** Let people fill in a form of the page: it is disabled until its script listens. */
export function enable(form) {
  form.querySelector("fieldset.whole").disabled = false;
}

/** Return `<dt>`, `<dd>` pairs for a definition list; values may be elements. */
export function facts(rows) {
  return rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

/** Return a small word with a shape before it, so that colour is not the only cue. */
export function badge(kind, text) {
  return h("span", { class: `badge ${kind}` }, text);
}

/** Return a time as people say it, with its date and hour behind it. */
export function when(moment, before = "") {
  return h("time", { datetime: moment, title: utc(moment) }, before + ago(moment));
}

/** Return a command line that a press copies. */
export function commandLine(text) {
  const button = h("button", { type: "button", class: "quiet copy", onclick: copy }, "Copy");
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch { // over plain http a browser has no clipboard: select the text, so that Ctrl-C takes it
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = "Selected: press Ctrl-C";
    }
  }
  return h("div", { class: "command-line" }, h("pre", { class: "command" }, h("code", {}, text)), button);
}

/** Return a table of rows; each column is `{title, number}`. */
export function grid(columns, rows, caption) {
  const head = columns.map(({ title, number }) =>
    h("th", { scope: "col", class: number ? "number" : null }, title));
  const body = rows.map(({ cells, kind }) => h("tr", { class: kind },
    cells.map((cell, index) => h("td", { class: columns[index].number ? "number" : null }, cell ?? "–"))));
  return h("table", { class: "grid" },
    caption ? h("caption", {}, caption) : null,
    h("thead", {}, h("tr", {}, head)),
    h("tbody", {}, body));
}
