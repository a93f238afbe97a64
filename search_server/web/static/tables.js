// All latency tables, newest first: filtered, sorted, two of them ticked to be compared; the address remembers it.

import { list, run } from "./api.js";
import { addressValue, onBack, remember } from "./address.js";
import { csvButton } from "./csv_file.js";
import { byId, choice, commandLine, field, fill, h } from "./dom.js";
import { ago, conditions, milliseconds, utc } from "./format.js";
import { offerImport } from "./import_table.js";
import { makeList } from "./list_view.js";
import { standingBadge } from "./table_life.js";
import { originBadge, tableLink, tableName } from "./table_names.js";

const COLUMNS = [
  { title: "Compare" }, { title: "Table" }, { title: "Conditions" }, { title: "Origin" }, { title: "Entries", number: true },
  { title: "Fastest, ms", number: true }, { title: "Slowest, ms", number: true }, { title: "Verdict" }, { title: "Created" },
];
/** What the list can be filtered by; each is a name in the address. */
const FILTERS = {
  device: ["Device", (table) => table.device_name], space: ["Space", (table) => table.space],
  runtime: ["Runtime", (table) => table.conditions.runtime], dtype: ["Numbers", (table) => table.conditions.dtype],
};
const ticked = new Set();
let redraw = () => {};

/** Return how a table stands and every reason against it. */
function standing(table) {
  const reasons = table.verdict?.reasons ?? [];
  const words = reasons.length === 1 ? "1 reason" : `${reasons.length} reasons`;
  return reasons.length ? h("div", {}, standingBadge(table), h("details", {}, h("summary", {}, words), h("ul", { class: "reasons" },
    reasons.map((reason) => h("li", {}, h("small", {}, reason)))))) : standingBadge(table);
}

function row(table) {
  const origin = table.is_simulated ? "simulated" : table.source;
  return {
    key: JSON.stringify([table, ago(table.created_at)]),
    values: [ticked.has(table.snapshot) ? 0 : 1, `${tableName(table)} ${table.snapshot}`, conditions(table.conditions), origin, table.num_measured,
      table.fastest_us, table.slowest_us, standingBadge(table).textContent, table.created_at],
    cells: () => [tick(table), tableLink(table), conditions(table.conditions), originBadge(table), `${table.num_measured} / ${table.num_entries}`,
      milliseconds(table.fastest_us), milliseconds(table.slowest_us), standing(table),
      h("time", { datetime: table.created_at, title: utc(table.created_at) }, ago(table.created_at))],
  };
}

function tick({ snapshot, ...rest }) {
  return h("input", { type: "checkbox", checked: ticked.has(snapshot), "aria-label": `Compare ${tableName(rest)} ${snapshot}`, onchange: ({ target }) => {
    if (target.checked) ticked.add(snapshot);
    else ticked.delete(snapshot);
    showComparing();
    redraw();
  } });
}

/** The link to the page that compares two: it needs two ticks. */
function showComparing() {
  const [a, b] = ticked;
  fill(byId("comparing"), ticked.size === 2 ? h("a", { class: "button strong", href: `/tables/compare?a=${a}&b=${b}` }, "Compare the two")
    : h("span", { class: "hint" }, ticked.size > 2 ? "Two can be compared: untick the others." : "Tick two tables to compare them."));
}

function matches(table) {
  return Object.entries(FILTERS).every(([name, [, of]]) => {
    const wanted = addressValue(name);
    return !wanted || of(table) === wanted || (name === "device" && table.device_id === wanted);
  });
}

/** Selects of what occurs among the tables; a device may also stand in the address by its id. */
function showFilters(tables) {
  fill(byId("filters"), Object.entries(FILTERS).map(([name, [title, of]]) => {
    const wanted = addressValue(name);
    const chosen = tables.find((table) => name === "device" && table.device_id === wanted)?.device_name ?? wanted;
    const values = [...new Set([...tables.map(of), ...(chosen ? [chosen] : [])])].sort();
    return field(title, choice([["", "all"], ...values], chosen ?? "", { onchange: ({ target }) => {
      remember({ [name]: target.value });
      redraw();
    } }));
  }));
}

function csvRows(tables) {
  return tables.map((table) => ({
    snapshot: table.snapshot, device: table.device_name, space: table.space, ...table.conditions, cores: table.conditions.cores.join(" "),
    source: table.source, is_simulated: table.is_simulated, num_measured: table.num_measured, num_entries: table.num_entries,
    anchor_us: table.anchor_us, fastest_us: table.fastest_us, slowest_us: table.slowest_us, standing: standingBadge(table).textContent, created_at: table.created_at,
  }));
}

async function show() {
  offerImport();
  const tables = await list("/latency-tables");
  byId("summary").textContent = tables.length ? `${tables.length} snapshots, newest first` : "";
  byId("list-tools").hidden = !tables.length;
  if (!tables.length) {
    fill(byId("tables"), h("div", { class: "card steps" }, h("p", {}, "No latency table yet. Measure one on a device:"),
      commandLine("edgenas profile -d DEVICE -s fbnet-tiny")));
    return;
  }
  const card = h("div", { class: "card" });
  fill(byId("tables"), card);
  const shown = makeList(card, COLUMNS, "Filter latency tables");
  redraw = () => {
    shown.show(tables.filter(matches).map(row));
    byId("summary").textContent = `${tables.filter(matches).length} of ${tables.length} snapshots, newest first`;
  };
  const drawAll = () => { showFilters(tables); redraw(); };
  onBack(drawAll);
  drawAll();
  showComparing();
  byId("export-list").replaceChildren(csvButton("latency-tables.csv", () => csvRows(tables.filter(matches))));
}

await run(show);
