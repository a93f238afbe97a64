// One latency table: heat map, what speaks for it, and the predicted latency of a network of one's choice.

import { attempt, get, run } from "./api.js";
import { byId, commandLine, facts, fill, h } from "./dom.js";
import { ago, conditionOptions, conditions, median, microseconds, milliseconds, share, signed } from "./format.js";
import { heatMap, legend, logPlace } from "./heat_map.js";
import { showLife, showWarning, standingBadge } from "./table_life.js";
import { originBadge } from "./tables.js";

const snapshot = document.body.dataset.subject;
const chosen = new Map();
const ANCHOR_BLOCK = "k3_e3"; // the page opens with the anchor network, where the space has this block
const SOUND_STATUSES = ["ok", "imported"];

const MOSTLY_MICROSECONDS_US = 100; // a table whose median cell is below this is shown in microseconds

function cellLabel(cell) {
  const where = cell.block ? `${cell.layer}, ${cell.block}` : cell.layer;
  if (cell.latency_us === null) return `${where}: not measured`;
  if (cell.status === "identity") return `${where}: identity, costs nothing`;
  const state = SOUND_STATUSES.includes(cell.status) ? "" : `, ${cell.status}`;
  const samples = cell.num_samples ? ` from ${cell.num_samples} samples` : "";
  const error = !cell.sigma_us ? "" : ` ± ${microseconds(cell.sigma_us)}`;
  return `${where}: ${microseconds(cell.latency_us)}${error} µs${samples}${state}`;
}

function cellView(cell, low, high, number, redraw) {
  if (!cell) return null;
  const kind = cell.latency_us === null ? "missing" : cell.latency_us === 0 ? "identity"
    : SOUND_STATUSES.includes(cell.status) ? "" : "unstable";
  return {
    text: cell.latency_us === null ? "?" : cell.latency_us === 0 ? "0" : number(cell.latency_us),
    place: cell.latency_us ? logPlace(cell.latency_us, low, high) : null,
    kind,
    label: cellLabel(cell),
    chosen: chosen.get(cell.layer) === cell,
    onpoint: () => { byId("cell").textContent = cellLabel(cell); },
    onpress: cell.block && cell.latency_us !== null
      ? () => { chosen.set(cell.layer, cell); redraw(`${cell.layer}/${cell.block}`); } : undefined,
  };
}

function showMap(table) {
  const blocks = [...new Set(table.cells.map((cell) => cell.block).filter(Boolean))];
  const layers = [...new Set(table.cells.filter((cell) => cell.block).map((cell) => cell.layer))];
  const at = new Map(table.cells.map((cell) => [`${cell.layer}/${cell.block}`, cell]));
  const values = table.cells.map((cell) => cell.block && cell.latency_us).filter(Boolean);
  const low = Math.min(...values), high = Math.max(...values);
  const [number, unit, unitName] = median(values) < MOSTLY_MICROSECONDS_US
    ? [microseconds, "µs", "microseconds"] : [milliseconds, "ms", "milliseconds"];
  byId("unit").textContent = unit;
  const redraw = (focus) => {
    const rows = layers.map((layer) => ({
      name: layer, cells: blocks.map((block) => cellView(at.get(`${layer}/${block}`), low, high, number, redraw)),
    }));
    fill(byId("map"), heatMap(blocks, rows, `Latency of each candidate block in each layer, ${unitName}`));
    if (focus) {
      const [layer, block] = focus.split("/");
      byId("map").querySelector(`tbody tr:nth-child(${layers.indexOf(layer) + 1}) td:nth-of-type(${blocks.indexOf(block) + 1}) button`)?.focus();
    }
    attempt(() => showChoice(table, layers));
  };
  fill(byId("legend"), legend(`${number(low)} ${unit}`, `${number(high)} ${unit}`,
    [["missing", "not measured"], ["unstable", "not stable"]]));
  redraw();
}

async function showChoice(table, layers) {
  const fixed = table.cells.filter((cell) => !cell.block);
  const cells = [...fixed, ...layers.map((layer) => chosen.get(layer))];
  if (cells.some((cell) => !cell || cell.latency_us === null)) {
    const remedy = table.summary.source === "measured" ? "profile the space again" : "choose others, or import a file that has them";
    fill(byId("choice"), h("p", { class: "hint" }, `Cells are missing; ${remedy}.`));
    return;
  }
  const total = cells.reduce((sum, cell) => sum + cell.latency_us, 0);
  const blocks = layers.map((layer) => chosen.get(layer).block).join(",");
  const path = `/latency-tables/${encodeURIComponent(snapshot)}/prediction?architecture=${encodeURIComponent(blocks)}`;
  const predicted = await get(path);
  if (blocks !== layers.map((layer) => chosen.get(layer).block).join(",")) return; // chosen anew meanwhile
  fill(byId("choice"),
    h("p", { class: "figure" }, milliseconds(predicted.latency_us), h("small", {}, ` ms predicted${perImage(predicted.latency_us, table.summary.conditions)}`)),
    h("p", { class: "hint" }, `90 % interval: ${predicted.low_us === null ? "unknown" : `${milliseconds(predicted.low_us)} to ${milliseconds(predicted.high_us)} ms`}. ` +
      `${beyond(predicted.latency_us - total, total)}`),
    h("p", { class: "hint" }, `Networks of the space take ${milliseconds(table.summary.fastest_us)} to ${milliseconds(table.summary.slowest_us)} ms; ` +
      `stem and head take ${fixed.map((cell) => milliseconds(cell.latency_us)).join(" and ")} ms.`),
    commandLine(command(table.summary, blocks)));
}

/** The latency of one image, where a run computes several. */
function perImage(us, { batch }) {
  return batch > 1 ? ` a run of ${batch} images, ${milliseconds(us / batch)} ms an image` : "";
}

/** What a network takes beyond its cells, in words. */
function beyond(difference, total) {
  const cells = `The cells add up to ${milliseconds(total)} ms`;
  return Math.abs(difference) < 5e-4 * total ? `${cells}.`
    : `${cells}; what its blocks cost each other: ${signed(difference / total)}.`;
}

function command({ source, device_name: device, space, conditions: given }, blocks) {
  const verb = source === "measured" ? "measure" : "predict";
  return `edgenas ${verb} -d ${device} -s ${space}${conditionOptions(given)} ${blocks}`;
}

function showVerdict({ verdict, warnings }) {
  const odd = warnings.length ? h("ul", { class: "reasons" }, warnings.map((warning) => h("li", {}, warning))) : null;
  if (!verdict) {
    fill(byId("verdict"), h("p", {}, "No verdict: this table was imported, nothing is known of how it was measured."), odd);
    return;
  }
  fill(byId("verdict"), h("dl", {}, facts([
    ["Error of a network that was not measured", share(verdict.cover_scatter, 2)],
    ["Two such tables would differ by", `${share(verdict.repeat_median, 2)} (median), ${share(verdict.repeat_p95, 2)} (p95)`],
    ["Noise ceiling of this device", share(verdict.noise_ceiling, 2)],
    ["Anchor, median / minimum", verdict.anchor_spread.toFixed(3)],
  ])), verdict.reasons.length ? h("ul", { class: "reasons" }, verdict.reasons.map((reason) => h("li", {}, reason))) : null,
  verdict.notes.length ? h("ul", { class: "hint" }, verdict.notes.map((note) => h("li", {}, note))) : null, odd);
}

function showSummary({ summary }) {
  fill(byId("marks"), standingBadge(summary), " ", originBadge(summary));
  fill(byId("facts"), facts([
    ["Device", summary.device_name],
    ["Space", summary.space],
    ["Conditions", conditions(summary.conditions)],
    ["Anchor network", `${milliseconds(summary.anchor_us)} ms`],
    ["Coverage", `${summary.num_measured} of ${summary.num_entries} entries`],
    ["Created", `${summary.created_at.slice(0, 19).replace("T", " ")} UTC, ${ago(summary.created_at)}`],
    ["Snapshot", h("code", {}, summary.snapshot)],
  ]));
}

await run(async () => {
  const table = await get(`/latency-tables/${encodeURIComponent(snapshot)}`);
  for (const cell of table.cells) {
    if (cell.block && cell.latency_us !== null && (!chosen.has(cell.layer) || cell.block === ANCHOR_BLOCK)) {
      chosen.set(cell.layer, cell);
    }
  }
  showSummary(table);
  showVerdict(table.summary);
  showMap(table);
  showWarning(table.summary);
  await showLife(table.summary);
  for (const link of byId("exports").querySelectorAll("a")) {
    link.href = `/api/v1/latency-tables/${encodeURIComponent(snapshot)}?format=${link.dataset.format}`;
  }
  byId("exports").hidden = false;
});
