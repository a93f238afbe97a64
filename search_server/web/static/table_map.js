// A latency table as a map: layers with their shapes down, candidate blocks across, one quantity as colour.

import { byId, fill, h } from "./dom.js";
import { count, median, microseconds, milliseconds, shape, share, three } from "./format.js";
import { heatMap, legend, logPlace } from "./heat_map.js";

const SOUND_STATUSES = ["ok", "imported"];
const MOSTLY_MICROSECONDS_US = 100; // a table whose median cell is below this is shown in microseconds

/** Billions of multiply-accumulates a second; null where nothing is computed or known. */
const rate = (cell) => (cell.latency_us && cell.macs ? cell.macs / cell.latency_us / 1000 : null);
const error = (cell) => (cell.latency_us && cell.sigma_us ? cell.sigma_us / cell.latency_us : null);

/** A figure of the cell's samples; nothing before they were read, and where there are none. */
const ofSamples = (figure) => ({ of: ({ spread }) => spread?.[figure] || null, isOfSamples: true });

/** What a map can show; dark is good in each of them. */
export const QUANTITIES = {
  latency: { title: "Latency", of: (cell) => cell.latency_us || null },
  error: { title: "Standard error", of: error, text: (value) => share(value), unit: "of the cell" },
  rate: { title: "Rate", of: rate, text: three, unit: "GMAC/s", isMoreBetter: true },
  p50: { title: "Median of the samples (p50)", ...ofSamples("p50_us") },
  min: { title: "Minimum of the samples", ...ofSamples("min_us") },
  cv: { title: "Variation of the samples (CV)", ...ofSamples("cv"), text: (value) => share(value), unit: "of the mean" },
};

/** All that is known of a cell, in a sentence. */
export function cellLabel(cell) {
  const where = cell.block ? `${cell.layer}, ${cell.block}` : cell.layer;
  const work = cell.macs ? `; ${count(cell.macs)} MACs, ${count(cell.params)} parameters` : "";
  if (cell.latency_us === null) return `${where}: not measured${work}`;
  if (cell.status === "identity") return `${where}: identity, costs nothing`;
  const state = SOUND_STATUSES.includes(cell.status) ? "" : `, ${cell.status}`;
  const samples = cell.num_samples ? ` from ${cell.num_samples} samples` : "";
  const around = cell.sigma_us ? ` ± ${microseconds(cell.sigma_us)}` : "";
  const pace = rate(cell) === null ? "" : `, ${three(rate(cell))} GMAC/s`;
  const runs = cell.spread ? `; samples: median ${microseconds(cell.spread.p50_us)}, minimum ${microseconds(cell.spread.min_us)} µs` : "";
  return `${where}: ${microseconds(cell.latency_us)}${around} µs${samples}${state}${work}${pace}${runs}`;
}

/** Return how latencies of a table are written: in microseconds where most cells are short. */
function latencyUnit(cells) {
  const values = cells.map(({ latency_us: us }) => us).filter(Boolean);
  return median(values) < MOSTLY_MICROSECONDS_US ? { text: microseconds, unit: "µs" } : { text: milliseconds, unit: "ms" };
}

/** Draw the map of one quantity; `onpress` is called with the cell that a person chooses. */
export function drawMap(table, choice, name, onpress) {
  const cells = table.cells.filter(({ block }) => block);
  const { of, title, text, unit, isMoreBetter } = { ...latencyUnit(cells), ...QUANTITIES[name] };
  const values = cells.map(of).filter((value) => value !== null);
  const low = Math.min(...values), high = Math.max(...values);
  const place = (value) => (isMoreBetter ? 1 - logPlace(value, low, high) : logPlace(value, low, high));
  const blocks = [...new Set(cells.map(({ block }) => block))];
  const view = (cell) => cell && {
    text: cellText(cell, of(cell), text),
    place: of(cell) === null ? null : place(of(cell)),
    kind: cell.latency_us === null ? "missing" : cell.latency_us === 0 ? "identity" : SOUND_STATUSES.includes(cell.status) ? "" : "unstable",
    label: cellLabel(cell), id: `${cell.layer}/${cell.block}`, chosen: choice.has(cell),
    onpoint: () => { byId("cell").textContent = cellLabel(cell); },
    onpress: cell.latency_us !== null ? () => onpress(cell) : undefined,
  };
  const rows = choice.layers.map((layer) => ({ name: rowName(layer, choice.cellAt), cells: blocks.map((block) => view(choice.cellAt.get(`${layer}/${block}`))) }));
  fill(byId("map"), heatMap(blocks, rows, `${title} of each candidate block in each layer, ${unit}`));
  byId("unit").textContent = unit;
  const ends = [low, high].map((value) => (values.length ? `${text(value)} ${unit}` : "–"));
  fill(byId("legend"), legend(...(isMoreBetter ? ends.toReversed() : ends), [["missing", "not measured"], ["unstable", "not stable"]]));
}

function cellText(cell, value, text) {
  if (cell.latency_us === null) return "?";
  return cell.latency_us === 0 ? "0" : value === null ? "–" : text(value);
}

/** A layer's name, and what it takes and gives. */
function rowName(layer, cellAt) {
  const cell = [...cellAt.values()].find((each) => each.layer === layer);
  return [layer, " ", cell.input_shape.length ? h("small", { class: "shape" }, `${shape(cell.input_shape)} → ${shape(cell.output_shape)}`) : null];
}

/** Mark the cells of the network that is chosen now. */
export function markChosen(choice) {
  for (const button of byId("map").querySelectorAll("button[data-id]")) button.ariaPressed = String(choice.has(choice.cellAt.get(button.dataset.id)));
}
