// Who changed what, when and from where; filter and page stand in the address.

import { get, run } from "./api.js";
import { badge, byId, enable, fill, grid, h } from "./dom.js";

const COLUMNS = [
  { title: "When" }, { title: "Who" }, { title: "What" }, { title: "About" }, { title: "Answer" }, { title: "From" },
];
const PER_PAGE = 50;

/** Return an ISO time as the browser's own field for times shows it. */
function local(time) {
  const moment = new Date(time);
  return new Date(moment - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function answer(entry) {
  if (entry.scope === "command") return badge("measured", "command");
  return badge(entry.status < 400 ? "good" : "bad", `${entry.status}`);
}

function row(entry) {
  return { cells: [
    h("time", { datetime: entry.at, title: entry.at }, new Date(entry.at).toLocaleString()),
    h("span", { title: entry.token_id ? `token ${entry.token_id}, scope ${entry.scope}` : null }, entry.user),
    h("code", {}, entry.action), entry.subject, answer(entry), entry.address,
  ] };
}

/** Return the link to a page of this list. */
function link(text, query, cursor) {
  const wanted = new URLSearchParams(query);
  wanted.delete("cursor");
  if (cursor) wanted.set("cursor", cursor);
  return h("a", { href: `/audit?${wanted}` }, text);
}

function submitted(event) {
  event.preventDefault();
  const wanted = new URLSearchParams();
  for (const [name, value] of new FormData(event.target)) {
    if (value) wanted.set(name, event.target[name].type === "datetime-local" ? new Date(value).toISOString() : value);
  }
  location.assign(`/audit?${wanted}`);
}

await run(async () => {
  const query = new URLSearchParams(location.search), form = byId("filter");
  for (const [name, value] of query) {
    if (form[name]) form[name].value = form[name].type === "datetime-local" ? local(value) : value;
  }
  form.addEventListener("submit", submitted);
  enable(form);
  query.set("limit", PER_PAGE);
  const { items, next_cursor } = await get(`/audit?${query}`);
  query.delete("limit");
  fill(byId("entries"), items.length ? h("div", { class: "card scroll", tabindex: 0, role: "group", "aria-label": "Changes" }, grid(COLUMNS, items.map(row)))
    : h("p", { class: "card" }, "No change fits this. Leave a field empty, or choose a longer time."));
  fill(byId("pages"), query.has("cursor") ? link("Newest", query, null) : null,
    next_cursor ? link("Older", query, next_cursor) : null);
});
