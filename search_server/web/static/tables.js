// All latency tables, newest first; '?device=' and '?space=' in the address filter.

import { list, run } from "./api.js";
import { badge, byId, commandLine, fill, grid, h } from "./dom.js";
import { ago, conditions } from "./format.js";
import { standingBadge } from "./table_life.js";

const COLUMNS = [
  { title: "Snapshot" }, { title: "Device" }, { title: "Space" }, { title: "Conditions" }, { title: "Origin" },
  { title: "Entries", number: true }, { title: "Verdict" }, { title: "Created" },
];

/** Return how a table stands and every reason against it. */
function standing(table) {
  const reasons = table.verdict?.reasons ?? [];
  return reasons.length ? h("div", {}, standingBadge(table), h("ul", { class: "reasons" },
    reasons.map((reason) => h("li", {}, h("small", {}, reason))))) : standingBadge(table);
}

/** Return where a table's numbers come from; simulated ones always say so. */
export function originBadge(summary) {
  if (summary.is_simulated) return badge("simulated", "simulated");
  return summary.source === "measured" ? badge("measured", "measured") : badge("imported", `imported: ${summary.source}`);
}

function row(table) {
  return { cells: [
    h("a", { href: `/tables/${table.snapshot}` }, h("code", {}, table.snapshot)),
    table.device_name, table.space, conditions(table.conditions), originBadge(table),
    `${table.num_measured} / ${table.num_entries}`, standing(table), ago(table.created_at),
  ] };
}

async function show() {
  const tables = await list(`/latency-tables${location.search}`);
  byId("summary").textContent = tables.length ? `${tables.length} snapshots, newest first` : "";
  fill(byId("tables"), tables.length
    ? h("div", { class: "card scroll" }, grid(COLUMNS, tables.map(row)))
    : h("div", { class: "card steps" }, h("p", {}, "No latency table yet. Measure one on a device:"),
      commandLine("edgenas profile -d DEVICE -s fbnet-tiny")));
}

if (document.body.dataset.page === "tables") await run(show);
