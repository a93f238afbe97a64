// A list that sorts by a press on a column's head, filters by words and choices, and has pages; the address remembers all.

import { choice, fill, h, refill } from "./dom.js";
import { fittingRows, readState, remember } from "./list_state.js";

const PER_PAGE = 50;

/**
 * Make a list in an element; the answer's `show(rows)` shows rows, again and again. A column is
 * `{title, number, choice}`: `choice` lets people choose one of its values. A row is `{key, cells, values, kind}`:
 * `cells()` makes what is shown and is called anew where `key` has changed, `values` are what rows are sorted and
 * filtered by, and `null` comes last. `prefix` tells lists of one page apart in the address.
 */
export function makeList(element, columns, filterName, { prefix = "", perPage = PER_PAGE } = {}) {
  const state = readState(columns, prefix), things = filterName.replace("Filter ", "");
  let rows = [];
  const change = (changes) => { // what is changed shows its first page
    Object.assign(state, { page: 1 }, changes);
    draw();
  };
  const find = h("input", { type: "search", value: state.find, placeholder: "Filter", "aria-label": filterName, oninput: () => change({ find: find.value }) });
  const choices = choiceSelects(columns, things, state, change), pages = pageTurner(things, (page) => {
    change({ page });
    element.scrollIntoView({ block: "nearest" });
  });
  const heads = sortHeads(columns, state, change);
  const body = h("tbody", {}), found = h("span", { class: "hint", role: "status" });
  fill(element, h("div", { class: "row list-bar" }, find, choices.elements, found),
    h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": `List of ${things}` },
      h("table", { class: "grid" }, h("thead", {}, h("tr", {}, heads)), body)), pages.element);

  function draw() {
    for (const [index, head] of heads.entries()) head.ariaSort = index !== state.sort ? null : state.isDown ? "descending" : "ascending";
    choices.show(rows);
    const fitting = fittingRows(rows, columns, state);
    const numPages = Math.max(1, Math.ceil(fitting.length / perPage));
    state.page = Math.min(state.page, numPages);
    remember(columns, prefix, state);
    found.textContent = fitting.length < rows.length ? `${fitting.length} of ${rows.length}` : "";
    pages.show(state.page, numPages, perPage, fitting.length);
    const shown = fitting.slice((state.page - 1) * perPage, state.page * perPage);
    refill(body, [rows.length > 0, shown.map(({ key }) => key)], () => (shown.length || !rows.length
      ? shown.map((row) => tableRow(row, columns)) : [nothingFits(columns, () => {
        find.value = "";
        change({ find: "", chosen: {} });
        find.focus();
      })]));
  }

  return { show(found) { rows = found; draw(); } };
}

function tableRow({ cells, kind }, columns) {
  return h("tr", { class: kind ?? null }, cells().map((cell, index) => h("td", { class: columns[index].number ? "number" : null }, cell ?? "–")));
}

function nothingFits(columns, clear) {
  return h("tr", {}, h("td", { colspan: columns.length }, "Nothing fits the filter. ", h("button", { type: "button", class: "quiet", onclick: clear }, "Show all")));
}

/** Heads that sort: up, down, and then the order in which the rows came. */
function sortHeads(columns, state, change) {
  const sortBy = (index) => {
    if (state.sort !== index) change({ sort: index, isDown: false });
    else if (!state.isDown) change({ isDown: true });
    else change({ sort: -1, isDown: false });
  };
  return columns.map(({ title, number }, index) => h("th", { scope: "col", class: number ? "number" : null },
    h("button", { type: "button", class: "sort", onclick: () => sortBy(index) }, title)));
}

/** A select for each column whose values can be chosen. */
function choiceSelects(columns, things, state, change) {
  const selects = columns.map(({ title, choice: isChoice }) => (isChoice ? choice([], null, {
    "aria-label": `${title} of ${things}`, onchange: ({ target }) => change({ chosen: { ...state.chosen, [title]: target.value } }),
  }) : null));
  const show = (rows) => {
    for (const [index, select] of selects.entries()) {
      if (!select) continue;
      const { title } = columns[index], chosen = state.chosen[title] ?? "";
      const values = [...new Set([...rows.map((row) => row.values[index]), chosen])].filter(Boolean).sort();
      refill(select, values, () => [["", `${title}: all`], ...values.map((value) => [value, value])].map(([value, text]) => h("option", { value }, text)));
      select.value = chosen;
    }
  };
  return { elements: selects.filter(Boolean), show };
}

/** Buttons that turn pages, where there is more than one. */
function pageTurner(things, turn) {
  const element = h("nav", { class: "row list-pages", "aria-label": `Pages of ${things}` });
  const show = (page, numPages, perPage, numRows) => {
    const button = (to, text) => h("button", {
      type: "button", class: "quiet", "aria-disabled": to < 1 || to > numPages ? "true" : null, onclick: () => turn(Math.min(Math.max(1, to), numPages)),
    }, text);
    const first = (page - 1) * perPage + 1;
    refill(element, [page, numPages, numRows], () => (numPages < 2 ? [] : [button(page - 1, "Previous"), button(page + 1, "Next"),
      h("span", { class: "hint" }, `${first} to ${Math.min(first + perPage - 1, numRows)} of ${numRows}`)]));
  };
  return { element, show };
}
