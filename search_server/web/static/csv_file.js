// What a page shows, as a file: a line a row, made in the browser.

import { h } from "./dom.js";

/** Return a value as a CSV field; a text that a spreadsheet would take for a formula begins with an apostrophe. */
function quoted(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Return a button that saves rows as CSV; `read` returns them, objects of the same keys, when it is pressed. */
export function csvButton(name, read) {
  return h("button", { type: "button", class: "quiet", onclick: () => {
    const rows = read();
    const lines = rows.length ? [Object.keys(rows[0]), ...rows.map(Object.values)].map((line) => line.map(quoted).join(",")) : [];
    const address = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
    h("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000); // once the browser has read it
  } }, "CSV of what is shown");
}
