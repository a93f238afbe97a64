// Two searches side by side: what they found, where they differ, how they went; '?a=' and '?b=' name them.

import { get, list, run } from "./api.js";
import { drawCurves } from "./charts.js";
import { byId, choice, field, fill, grid, h } from "./dom.js";
import { conditions, count, milliseconds, share, signed } from "./format.js";
import { jobName, searchLink } from "./job.js";
import { drawScatter } from "./scatter.js";
import { isDelivered, latencyMs, networkPoints } from "./search_pictures.js";
import { blockStrip, stripLegend } from "./strip.js";

const address = new URLSearchParams(location.search);
const UNTOLD = ["name", "private", "snapshot", "also", "device", "conditions"]; // told in other words, or no matter

const MOST_LETTERS = 14; // two names have to fit beside each other on a phone

/** Names of both with their letters, short enough for a picture. */
function names(a, b) {
  const [nameA, nameB] = [jobName(a.job), jobName(b.job)];
  const short = (name) => (name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS - 1)}…` : name);
  return [`A ${short(nameA)}`, `B ${short(nameB)}`];
}

function showFound(a, b) {
  const us = (search) => search.result?.measured_us ?? search.result?.predicted_us ?? null;
  const read = (search, key) => search.result?.[key] ?? null;
  const row = (name, valueA, valueB, show, isShare = false) => ({ cells: [name, show(valueA), show(valueB),
    valueA === null || valueB === null ? null : isShare ? `${signed(valueB - valueA).replace(" %", "")} points` : signed(valueB / valueA - 1)] });
  const rows = [
    { cells: ["Status", a.job.status, b.job.status, null] },
    row("Latency, ms", us(a), us(b), milliseconds), row("Predicted, ms", read(a, "predicted_us"), read(b, "predicted_us"), milliseconds),
    row("Test accuracy", read(a, "test_accuracy"), read(b, "test_accuracy"), share, true),
    row("Validation accuracy", read(a, "validation_accuracy"), read(b, "validation_accuracy"), share, true),
    row("MACs", read(a, "macs"), read(b, "macs"), count), row("Parameters", read(a, "params"), read(b, "params"), count),
  ];
  fill(byId("found"), grid([{ title: "Delivered network" }, { title: "A", number: true }, { title: "B", number: true }, { title: "B − A", number: true }], rows));
}

function showStrips(a, b, [nameA, nameB]) {
  const [blocksA, blocksB] = [a.result?.architecture, b.result?.architecture];
  byId("strips-card").hidden = !blocksA && !blocksB;
  const isComparable = blocksA && blocksB && blocksA.split(",").length === blocksB.split(",").length;
  const numDiffering = isComparable ? blocksA.split(",").filter((block, index) => block !== blocksB.split(",")[index]).length : null;
  fill(byId("strips"), [[blocksA, nameA, blocksB], [blocksB, nameB, blocksA]].flatMap(([blocks, name, other]) => [
    h("h3", {}, name), blocks ? blockStrip(blocks, name, isComparable ? other : null) : h("p", { class: "hint" }, "It has found nothing yet.")]),
  stripLegend(), numDiffering === null ? null : h("p", {}, numDiffering ? `${numDiffering} of ${blocksA.split(",").length} layers differ; they are outlined.` : "Both deliver the same network."));
}

function showPlane(a, b, both) {
  const accuracy = (network) => (network.test_accuracy === null ? null : 100 * network.test_accuracy);
  const points = [a, b].flatMap((search, index) => networkPoints(search, latencyMs, accuracy)
    .map((point) => ({ ...point, series: `series-${index + 1}`, name: isDelivered(point.network, search) ? both[index] : `${"AB"[index]} ${point.name}` })));
  byId("plane-card").hidden = points.length < 2;
  if (points.length > 1) drawScatter(byId("plane"), points, { xName: "latency, ms", yName: "test accuracy, %" });
}

async function showCurves(a, b, both) {
  const pages = await Promise.all([a, b].map(({ job }) => get(`/searches/${job.job_id}/curves`)));
  const told = pages.map((page, index) => ({ page, name: both[index] })).filter(({ page }) => page.step.length);
  byId("curves").hidden = told.length === 0;
  if (!told.length) return;
  const curves = (key, factor = 1) => told.map(({ page, name }) => ({ name, x: page.epoch.map((epoch) => epoch + 1), y: page[key].map((value) => (value === null ? null : value * factor)) }));
  drawCurves(byId("latency-chart"), curves("expected_latency_us", 1e-3));
  drawCurves(byId("accuracy-chart"), curves("accuracy"));
}

function showRequests(a, b) {
  const text = (value) => (value === null || value === undefined ? "none" : Array.isArray(value) ? value.join(", ") || "none" : value === true ? "yes" : value === false ? "no" : String(value));
  const devices = ({ job, request }) => [job.device_name, ...request.also.map(({ device, target_ms: ms }) => `${device} ${ms} ms`)].join(", ");
  const told = [
    ["device", devices(a), devices(b)], ["conditions", conditions(a.job.conditions), conditions(b.job.conditions)],
    ["latency table", a.snapshot, b.snapshot],
    ...Object.keys(a.request).filter((name) => !UNTOLD.includes(name)).map((name) => [name.replaceAll("_", " "), text(a.request[name]), text(b.request[name])]),
  ];
  const differing = told.filter(([, one, other]) => one !== other);
  fill(byId("requests"), differing.length
    ? grid([{ title: "Asked" }, { title: "A" }, { title: "B" }], differing.map((cells) => ({ cells })), `${told.length - differing.length} more options are alike.`)
    : h("p", { class: "hint" }, "Both were asked the same."));
}

/** Two selects; a change of either goes to the page of that pair. */
function showChoice(searches) {
  const options = searches.map(({ job }) => [job.job_id, `${jobName(job)} (${job.device_name}, ${job.space}, ${job.status})`]);
  const pick = (name, letter) => {
    const select = choice([["", "choose a search"], ...options], address.get(name), { "aria-label": `Search ${letter}` });
    select.addEventListener("change", () => {
      address.set(name, select.value);
      location.search = address.toString();
    });
    return field(letter, select);
  };
  fill(byId("choice"), pick("a", "A"), pick("b", "B"));
}

await run(async () => {
  const searches = await list("/searches");
  if (searches.length < 2) {
    fill(byId("choice"), h("p", {}, searches.length ? "There is one search alone: " : "There is no search yet: ", h("a", { href: "/searches/new" }, "start another one"), ", then compare the two here."));
    return;
  }
  showChoice(searches);
  if (!address.get("a") || !address.get("b")) return;
  const [a, b] = await Promise.all(["a", "b"].map((name) => get(`/searches/${encodeURIComponent(address.get(name))}`)));
  const both = names(a, b);
  byId("pair").hidden = false;
  fill(byId("links"), "A: ", searchLink(a.job), "; B: ", searchLink(b.job));
  showFound(a, b);
  showStrips(a, b, both);
  showPlane(a, b, both);
  showRequests(a, b);
  await showCurves(a, b, both);
});
