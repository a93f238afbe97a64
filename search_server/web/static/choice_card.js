// What a table says of the network that was chosen: its latency, its size; and a button that measures it.

import { actButton, get, send } from "./api.js";
import { byId, choice as select, commandLine, facts, field, fill, h } from "./dom.js";
import { follow } from "./follow.js";
import { conditionOptions, count, milliseconds, signed, three } from "./format.js";
import { progressBar, statusBadge } from "./job.js";
import { askedConditions, isMeasurable } from "./table_names.js";

const BYTES = { fp32: 4, fp16: 2, int8: 1 }; // of a weight

/** Show the prediction of the chosen network; an answer that comes too late is left out. */
export async function showPrediction({ summary }, choice) {
  const cells = choice.cells();
  byId("measure").hidden = cells.some((cell) => !cell || cell.latency_us === null);
  if (byId("measure").hidden) {
    const remedy = summary.source === "measured" ? "profile the space again" : "choose others, or import a file that has them";
    fill(byId("choice"), h("p", { class: "hint" }, `Cells are missing; ${remedy}.`), sizes(cells, summary));
    return;
  }
  const blocks = choice.blocks();
  const predicted = await get(`/latency-tables/${encodeURIComponent(summary.snapshot)}/prediction?architecture=${encodeURIComponent(blocks)}`);
  if (blocks !== choice.blocks()) return; // chosen anew meanwhile
  const total = cells.reduce((sum, cell) => sum + cell.latency_us, 0);
  const fixed = cells.filter(({ block }) => !block).map(({ latency_us: us }) => milliseconds(us));
  fill(byId("choice"),
    h("p", { class: "figure" }, milliseconds(predicted.latency_us), h("small", {}, ` ms predicted${perImage(predicted.latency_us, summary.conditions)}`)),
    h("p", { class: "hint" }, `90 % interval: ${interval(predicted)}. ${beyond(predicted.latency_us - total, total)}`),
    h("p", { class: "hint" }, `Networks of the space take ${milliseconds(summary.fastest_us)} to ${milliseconds(summary.slowest_us)} ms; ` +
      `stem and head take ${fixed.join(" and ")} ms.`),
    sizes(cells, summary),
    commandLine(command(summary, blocks)));
}

function interval({ low_us: low, high_us: high }) {
  return low === null ? "unknown" : `${milliseconds(low)} to ${milliseconds(high)} ms`;
}

/** What a network computes and holds: the sums over its cells are exact. */
function sizes(cells, { conditions: { dtype } }) {
  if (cells.some((cell) => !cell)) return null;
  const params = cells.reduce((sum, cell) => sum + cell.params, 0);
  const rows = [["MACs of an image", count(cells.reduce((sum, cell) => sum + cell.macs, 0))], ["Parameters", count(params)]];
  if (BYTES[dtype]) rows.push([`Weights in ${dtype}`, `${three(params * BYTES[dtype] / 1e6)} MB`]);
  return h("dl", {}, facts(rows));
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
  const different = [...new Set(blocks.split(","))]; // published names stand for other stems and heads than the space's
  return `edgenas ${verb} -d ${device} -s ${space}${conditionOptions(given)} ${different.length > 1 ? blocks : different[0]}`;
}

/** Fill the select of known networks; it shows the one that is chosen. */
export function showKnown(named, choice) {
  const known = named.filter(({ latency_us: us }) => us !== null);
  const options = [["", "your own choice of blocks"], ...known.map(({ name, latency_us: us }) => [name, `${name}, ${milliseconds(us)} ms`])];
  const knownNetwork = select(options, choice.name() ?? "", { onchange: ({ target }) => { if (target.value) choice.chooseAll(target.value); } });
  fill(byId("known"), known.length ? field("Known network", knownNetwork, "A published one that fits, or one block in every layer.") : null);
}

/** Let the select of known networks show what is chosen now. */
export function markKnown(choice) {
  const known = byId("known").querySelector("select");
  if (known) known.value = choice.name() ?? "";
}

/** Offer to measure the chosen network on the table's device; `done` is called when a result is there. */
export function offerMeasuring(summary, choice, done) {
  if (!isMeasurable(summary)) return;
  const news = h("div", { role: "status" });
  fill(byId("measure"), h("p", { class: "row" }, actButton(`Measure it on ${summary.device_name}`, async () => {
    const blocks = choice.blocks();
    const { job } = await send("POST", "/measurements", {
      device: summary.device_id, space: summary.space, conditions: askedConditions(summary), architectures: [blocks],
    });
    const ended = await follow(`/measurements/${job.job_id}`, (work) => fill(news, statusBadge(work.job), progressBar(work.job)));
    fill(news, outcome(ended));
    await done();
  })), news);
}

function outcome({ job, latencies: [latency] }) {
  if (!latency) return h("p", { class: "failure" }, `${job.status}: ${job.message}`);
  const { latency_us: us, prediction } = latency;
  const against = prediction ? `; ${milliseconds(prediction.latency_us)} ms were predicted, ${signed(us / prediction.latency_us - 1)}` : "";
  return h("p", {}, `${latency.is_simulated ? "Simulated" : "Measured"}: `, h("strong", {}, `${milliseconds(us)} ms`), ` (90 % interval: ${interval(latency)})${against}.`);
}
