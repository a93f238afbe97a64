// One latency table: heat map, what speaks for it, and the predicted latency of a network of one's choice.

import { attempt, get, run } from "./api.js";
import { addressValue, onBack, remember } from "./address.js";
import { makeDrawer } from "./cell_drawer.js";
import { markKnown, offerMeasuring, showKnown, showPrediction } from "./choice_card.js";
import { byId, choice as select, facts, fill, h } from "./dom.js";
import { ago, conditions, milliseconds, share } from "./format.js";
import { makeChoice } from "./network_choice.js";
import { showLife, showNetworks, showWarning, standingBadge } from "./table_life.js";
import { drawMap, markChosen, QUANTITIES } from "./table_map.js";
import { isMeasurable, originBadge, tableName } from "./table_names.js";

const snapshot = document.body.dataset.subject;
const PATH = `/latency-tables/${encodeURIComponent(snapshot)}`;

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
    ["Anchor, median / minimum", verdict.anchor_spread.toFixed(2)],
  ])), verdict.reasons.length ? h("ul", { class: "reasons" }, verdict.reasons.map((reason) => h("li", {}, reason))) : null,
  verdict.notes.length ? h("ul", { class: "hint" }, verdict.notes.map((note) => h("li", {}, note))) : null, odd);
}

function showSummary(summary) {
  const name = tableName(summary);
  document.title = `${name} · edgenas`;
  byId("name").textContent = name;
  fill(byId("marks"), standingBadge(summary), " ", originBadge(summary));
  fill(byId("facts"), facts([
    ["Device", h("a", { href: `/tables?device=${encodeURIComponent(summary.device_name)}` }, summary.device_name)],
    ["Space", summary.space],
    ["Conditions", conditions(summary.conditions)],
    ["Anchor network", `${milliseconds(summary.anchor_us)} ms`],
    ["Coverage", `${summary.num_measured} of ${summary.num_entries} entries`],
    ["Created", `${summary.created_at.slice(0, 19).replace("T", " ")} UTC, ${ago(summary.created_at)}`],
  ]));
}

function showExports() {
  for (const link of byId("exports").querySelectorAll("a[data-format]")) link.href = `/api/v1${PATH}?format=${link.dataset.format}`;
  byId("compare-link").href = `/tables/compare?a=${encodeURIComponent(snapshot)}`;
  byId("exports").hidden = false;
}

/** Read the samples of all cells, once, where a quantity needs them; return why there are none, or null. */
async function missingSamples(table, name) {
  if (!QUANTITIES[name].isOfSamples || table.hasSamples) return null;
  byId("map").ariaBusy = "true";
  byId("cell").textContent = "Reading the samples…";
  const found = await get(`${PATH}/spreads`).catch(({ message }) => message);
  if (typeof found === "string") return found;
  const spreads = new Map(found.map(({ layer, block, spread }) => [`${layer}/${block}`, spread]));
  for (const cell of table.cells) cell.spread = spreads.get(`${cell.layer}/${cell.block}`);
  table.hasSamples = true;
  byId("cell").textContent = "Times as the runtime's profiler gave them, which costs time itself.";
  return null;
}

/**
 * Draw the map as the address says: the quantity, the network, the drawer; and again when it changes. Returns what
 * is to be called once `named` holds the known networks.
 */
function showMap(table, named) {
  const quantity = () => (addressValue("show") in QUANTITIES ? addressValue("show") : "latency");
  const chosenAnew = () => {
    markChosen(choice);
    markKnown(choice);
    attempt(() => showPrediction(table, choice));
  };
  const choice = makeChoice(table.cells, named, chosenAnew);
  const drawer = makeDrawer(table.summary, choice.cellAt);
  const draw = async () => {
    const asked = quantity(), lack = await missingSamples(table, asked);
    if (asked !== quantity()) return; // another one meanwhile
    shown.value = lack ? "latency" : asked;
    drawMap(table, choice, shown.value, (cell) => { choice.choose(cell); offerSamples(cell); });
    if (lack) byId("cell").textContent = lack;
  };
  const offerSamples = (cell) => fill(byId("samples"), h("span", { class: "hint" }, "Samples of"),
    [cell, choice.cellAt.get("stem/"), choice.cellAt.get("head/")].filter(Boolean).map((each) =>
      h("button", { type: "button", class: "quiet", onclick: () => drawer.open(each) }, `${each.layer} ${each.block}`.trim())));
  const offered = Object.entries(QUANTITIES).filter(([, { isOfSamples }]) => !isOfSamples || isMeasurable(table.summary));
  const shown = select(offered.map(([key, { title }]) => [key, title]), quantity(), { "aria-label": "What the map shows",
    onchange: () => { remember({ show: shown.value === "latency" ? null : shown.value }); draw(); } });
  fill(byId("quantity"), shown);
  const drawAll = () => {
    choice.read();
    draw();
    chosenAnew();
    drawer.sync();
  };
  offerMeasuring(table.summary, choice, () => showNetworks(table.summary));
  offerSamples(choice.cells()[choice.cells().length - choice.layers.length]);
  onBack(drawAll);
  drawAll();
  return () => {
    choice.read(); // the address may name one of them
    showKnown(named, choice);
    chosenAnew();
  };
}

await run(async () => {
  const naming = get(`${PATH}/networks`);
  naming.catch(() => {}); // told below, where it is waited for
  const asked = addressValue("network");
  const isNamed = asked !== null && !asked.includes(",");
  const [table, known] = await Promise.all([get(PATH), isNamed ? naming : []]);
  const named = [...known];
  showSummary(table.summary);
  showVerdict(table.summary);
  showExports();
  const tellNames = showMap(table, named); // waits for the known networks only where the address names one
  showWarning(table.summary);
  if (!isNamed) named.push(...await naming);
  tellNames();
  await showLife(table.summary);
});
