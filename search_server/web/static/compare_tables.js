// Two latency tables side by side: ratios, ranks, and who changes order; '?a=' and '?b=' name them.

import { get, list, run } from "./api.js";
import { addressValue, onBack, remember } from "./address.js";
import { csvButton } from "./csv_file.js";
import { byId, choice, facts, field, fill, grid, h } from "./dom.js";
import { conditions, milliseconds, three } from "./format.js";
import { bothWays, heatMap, legend } from "./heat_map.js";
import { drawScatter } from "./scatter.js";
import { tableLink, tableName } from "./table_names.js";

const LEAST_SPAN = 1.1; // ratios nearer to each other than this stay pale

const NETWORK_COLUMNS = [
  { title: "Network" }, { title: "A, ms", number: true }, { title: "B, ms", number: true }, { title: "B / A", number: true },
  { title: "Rank in A", number: true }, { title: "In B", number: true },
];

/** Two selects; a change of either goes to the page of that pair. Tables of other spaces are not offered for B. */
function showChoice(tables) {
  const [a, b] = ["a", "b"].map(addressValue);
  const space = tables.find(({ snapshot }) => snapshot === a)?.space;
  const pick = (name, letter, offered) => {
    const options = offered.map((table) => [table.snapshot, `${tableName(table)} (${table.created_at.slice(0, 16).replace("T", " ")}, ${table.snapshot})`]);
    return field(letter, choice([["", "choose a table"], ...options], addressValue(name), { "aria-label": `Table ${letter}`, onchange: ({ target }) => {
      remember({ [name]: target.value });
      location.reload();
    } }));
  };
  fill(byId("choice"), pick("a", "A", tables), pick("b", "B", tables.filter((table) => !space || table.space === space || table.snapshot === b)));
}

/** Say where two tables do not compare like with like. */
function showUnlike({ a, b }) {
  const told = (table) => (table.is_simulated ? "simulated" : table.source);
  const unlike = [["device", a.device_name, b.device_name], ["conditions", conditions(a.conditions), conditions(b.conditions)], ["origin", told(a), told(b)]]
    .filter(([, one, other]) => one !== other).map(([name, one, other]) => `${name} ${one} against ${other}`);
  byId("unlike").hidden = unlike.length === 0;
  byId("unlike").textContent = unlike.length ? `Unlike: ${unlike.join("; ")}.` : "";
}

function showWhole(diff) {
  fill(byId("whole"), facts([
    ["A", tableLink(diff.a)], ["B", tableLink(diff.b)],
    ["B over A", `${diff.ratio_median.toFixed(3)} (median of the cells)`],
    ["Rank correlation (Spearman)", diff.rank_correlation.toFixed(3)],
    ["Rank changes", `${diff.num_rank_changes} of ${diff.cells.length} cells within their layer`],
    ["Known networks", `${diff.num_flipped_pairs} of ${numPairs(diff.networks)} pairs change order`],
  ]));
}

const numPairs = ({ length }) => length * (length - 1) / 2;

function rankMark({ rank_a: a, rank_b: b }) {
  return a === null || b === null || a === b ? "" : b > a ? " ▲" : " ▼";
}

function cellLabel({ layer, block, a_us: a, b_us: b, rank_a: rankA, rank_b: rankB, ratio }) {
  const ranks = rankA === null || rankB === null ? "" : `; rank ${rankA + 1} of its layer in A, ${rankB + 1} in B`;
  return `${layer}, ${block}: A ${milliseconds(a)} ms, B ${milliseconds(b)} ms${ratio === null ? "" : `, ${ratio.toFixed(3)} times`}${ranks}`;
}

/** The map; its colours are centred on the median, so that a device that is slower as a whole does not hide the rest. */
function showMap({ cells, ratio_median: middle }) {
  const ofLayers = cells.filter(({ block }) => block);
  const spans = ofLayers.filter(({ ratio }) => ratio !== null).map(({ ratio }) => Math.max(ratio / middle, middle / ratio));
  const span = Math.max(LEAST_SPAN, ...spans);
  const place = (ratio) => 0.5 + Math.log(ratio / middle) / Math.log(span) / 2;
  const layers = [...new Set(ofLayers.map(({ layer }) => layer))], blocks = [...new Set(ofLayers.map(({ block }) => block))];
  const at = new Map(ofLayers.map((cell) => [`${cell.layer}/${cell.block}`, cell]));
  const view = (cell) => cell && {
    text: cell.ratio === null ? (cell.a_us === 0 && cell.b_us === 0 ? "0" : "?") : `${three(cell.ratio)}${rankMark(cell)}`,
    place: cell.ratio === null ? null : place(cell.ratio),
    kind: cell.ratio !== null ? "" : cell.a_us === 0 && cell.b_us === 0 ? "identity" : "missing",
    label: cellLabel(cell), id: `${cell.layer}/${cell.block}`, chosen: addressValue("cell") === `${cell.layer}/${cell.block}`,
    onpoint: () => { byId("cell").textContent = cellLabel(cell); },
    onpress: () => { remember({ cell: `${cell.layer}/${cell.block}` }, false); markChosen(at); },
  };
  fill(byId("map"), heatMap(blocks, layers.map((layer) => ({ name: layer, cells: blocks.map((block) => view(at.get(`${layer}/${block}`))) })),
    "Latency of each candidate block in each layer, table B over table A", bothWays));
  fill(byId("legend"), legend(three(middle / span), three(middle * span), [["missing", "in one table only"]], bothWays), `pale: the median, ${three(middle)}`);
  markChosen(at);
}

function markChosen(at) {
  const chosen = addressValue("cell");
  for (const button of byId("map").querySelectorAll("button[data-id]")) button.ariaPressed = String(button.dataset.id === chosen);
  if (at.has(chosen)) byId("cell").textContent = cellLabel(at.get(chosen));
}

function showPlane({ cells, networks, a, b }) {
  const points = cells.filter(({ ratio }) => ratio !== null).map((cell) => ({ x: cell.a_us / 1000, y: cell.b_us / 1000, kind: "sampled", name: `${cell.layer} ${cell.block}`.trim(), isQuiet: true }));
  const whole = networks.map((each) => ({ x: each.a_us / 1000, y: each.b_us / 1000, kind: "front", name: each.name }));
  drawScatter(byId("plane"), [...points, ...whole], { xName: `A: ${tableName(a)}, ms`, yName: `B: ${b.device_name}, ms`, isDiagonal: true, isLog: true,
    summary: `${points.length} cells and ${whole.length} networks` });
}

function showNetworks({ networks, num_flipped_pairs: flips }) {
  byId("networks-card").hidden = networks.length === 0;
  byId("flips").textContent = flips ? `${flips} of ${numPairs(networks)} pairs: A calls the one faster, B the other one.` : "Both tables put them into the same order.";
  const rows = networks.toSorted((one, other) => one.rank_a - other.rank_a).map((each) => ({ kind: each.rank_a === each.rank_b ? null : "found", cells: [
    each.name, milliseconds(each.a_us), milliseconds(each.b_us), three(each.ratio), each.rank_a + 1, `${each.rank_b + 1}${rankMark(each)}`,
  ] }));
  fill(byId("networks"), grid(NETWORK_COLUMNS, rows, "Published networks that fit, and one block in every layer, as the tables predict them."));
}

await run(async () => {
  showChoice(await list("/latency-tables"));
  const [a, b] = ["a", "b"].map(addressValue);
  onBack(() => location.reload());
  if (!a || !b) return;
  const diff = await get(`/latency-tables/${encodeURIComponent(a)}/diff/${encodeURIComponent(b)}`);
  byId("pair").hidden = false;
  showUnlike(diff);
  showWhole(diff);
  showMap(diff);
  showPlane(diff);
  showNetworks(diff);
  fill(byId("exports"), csvButton(`${a}-${b}.csv`, () => diff.cells));
});
