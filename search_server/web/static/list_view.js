// A list that sorts by a press on a column's head and filters by words; the address remembers both.

import { fill, h, refill } from "./dom.js";

/**
 * Make a list in an element; the answer's `show(rows)` shows rows, again and again. A column is
 * `{title, number}`; a row `{key, cells, values, kind}`: `cells()` makes what is shown and is called anew where
 * `key` has changed, `values` are what rows are sorted and filtered by, and `null` comes last.
 */
export function makeList(element, columns, filterName) {
  const params = new URLSearchParams(location.search);
  const state = { sort: columns.findIndex(({ title }) => title === params.get("sort")), isDown: params.has("down"), find: params.get("find") ?? "" };
  let rows = [];
  const body = h("tbody", {}), found = h("span", { class: "hint", role: "status" });
  const find = h("input", { type: "search", value: state.find, placeholder: "Filter", "aria-label": filterName, oninput: () => {
    state.find = find.value;
    draw();
  } });
  const heads = columns.map(({ title, number }, index) => h("th", { scope: "col", class: number ? "number" : null },
    h("button", { type: "button", class: "sort", onclick: () => sortBy(index) }, title)));
  fill(element, h("div", { class: "row list-bar" }, find, found),
    h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": filterName.replace("Filter ", "List of ") },
      h("table", { class: "grid" }, h("thead", {}, h("tr", {}, heads)), body)));

  function sortBy(index) {
    // up, down, and then the order in which the rows came
    if (state.sort !== index) [state.sort, state.isDown] = [index, false];
    else if (!state.isDown) state.isDown = true;
    else [state.sort, state.isDown] = [-1, false];
    draw();
  }

  function remember() {
    const address = new URLSearchParams(location.search);
    for (const [name, value] of [["sort", columns[state.sort]?.title], ["down", state.isDown ? "" : undefined], ["find", state.find || undefined]]) {
      if (value === undefined) address.delete(name);
      else address.set(name, value);
    }
    const query = address.toString();
    history.replaceState(null, "", location.pathname + (query ? `?${query}` : ""));
  }

  function draw() {
    remember();
    for (const [index, head] of heads.entries()) head.ariaSort = index !== state.sort ? null : state.isDown ? "descending" : "ascending";
    const words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = rows.filter(({ values }) => words.every((word) => values.join(" ").toLowerCase().includes(word)));
    if (state.sort >= 0) shown.sort((a, b) => compare(a.values[state.sort], b.values[state.sort]) * (state.isDown ? -1 : 1));
    found.textContent = words.length ? `${shown.length} of ${rows.length}` : "";
    refill(body, shown.map(({ key }) => key), () => shown.map(({ cells, kind }) => h("tr", { class: kind ?? null },
      cells().map((cell, index) => h("td", { class: columns[index].number ? "number" : null }, cell ?? "–")))));
  }

  return { show(found) { rows = found; draw(); } };
}

function compare(a, b) {
  const [lacksA, lacksB] = [a === null || a === undefined, b === null || b === undefined];
  if (lacksA || lacksB) return Number(lacksA) - Number(lacksB);
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}
