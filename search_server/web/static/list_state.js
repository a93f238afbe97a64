// What a list shows: its order, words, choices and page, as the page's address keeps them.

/** Return what the address says of a list; `prefix` tells lists of one page apart. */
export function readState(columns, prefix) {
  const params = new URLSearchParams(location.search), get = (name) => params.get(prefix + name);
  const chosen = columns.filter(({ choice }) => choice).map(({ title }) => [title, get(title.toLowerCase()) ?? ""]);
  return {
    sort: columns.findIndex(({ title }) => title === get("sort")), isDown: params.has(`${prefix}down`), find: get("find") ?? "",
    page: Math.max(1, Math.trunc(Number(get("page"))) || 1), chosen: Object.fromEntries(chosen),
  };
}

/** Write it into the address. */
export function remember(columns, prefix, { sort, isDown, find, page, chosen }) {
  const choices = columns.filter(({ choice }) => choice).map(({ title }) => [title.toLowerCase(), chosen[title]]);
  const told = [["sort", columns[sort]?.title], ["down", isDown ? "1" : ""], ["find", find], ["page", page > 1 ? page : ""], ...choices];
  setAddress(Object.fromEntries(told.map(([name, value]) => [prefix + name, value])));
}

/** Return the page's address with other values; empty ones are taken out of it. */
export function addressWith(values) {
  const address = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) {
    if (value) address.set(name, value);
    else address.delete(name);
  }
  const query = address.toString();
  return location.pathname + (query ? `?${query}` : "");
}

/** Write values into the page's address. */
export function setAddress(values) {
  history.replaceState(null, "", addressWith(values) + location.hash);
}

/** Return the rows that have all words and choices, in their order; rows without a value come last. */
export function fittingRows(rows, columns, { sort, isDown, find, chosen }) {
  const words = find.toLowerCase().split(/\s+/);
  const fitting = rows.filter(({ values }) => {
    const text = values.join(" ").toLowerCase();
    return words.every((word) => text.includes(word)) && columns.every(({ title }, index) => !chosen[title] || values[index] === chosen[title]);
  });
  if (sort < 0) return fitting;
  const lacks = ({ values }) => values[sort] === null || values[sort] === undefined;
  return fitting.sort((a, b) => Number(lacks(a)) - Number(lacks(b)) || (lacks(a) ? 0 : compare(a.values[sort], b.values[sort]) * (isDown ? -1 : 1)));
}

function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}
