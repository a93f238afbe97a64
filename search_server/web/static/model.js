// One model: what it is, measuring it, and a measurement with its nodes. '?job=' shows another one than the newest.

import { actButton, get, list, mayChange, repeat, run, send } from "./api.js";
import { byId, facts, fill, h, when } from "./dom.js";
import { conditions, count, milliseconds, share } from "./format.js";
import { showBars } from "./model_bars.js";
import { showAll, showHistory } from "./model_history.js";
import { showForm, showWatched } from "./model_measure.js";

const PATH = `/models/${encodeURIComponent(document.body.dataset.subject)}`;
const MOST_OPERATORS = 8;
let model = null;
let shownId = null;
let isAtWork = false;

const shape = (sizes) => sizes.map((size) => size ?? "?").join(" × ") || "scalar";
const tensors = (all) => all.map(({ name, dtype, shape: sizes }) => `${name} ${dtype} ${shape(sizes)}`).join("; ") || "none";

function operatorWords({ num_nodes: numNodes, operators }) {
  const told = operators.slice(0, MOST_OPERATORS).map(({ op_type: name, count: number }) => `${name} ${number}`);
  const rest = operators.length - told.length;
  return `${count(numNodes)}: ${told.join(", ")}${rest > 0 ? ` and ${rest} more types` : ""}`;
}

async function showModel() {
  const { facts: told } = model;
  fill(byId("facts"), facts([
    ["File", `${model.format}, ${told.version}, ${count(model.size_bytes)} bytes`], ["Numbers", told.dtype],
    ["Written by", told.producer || "not told"], ["Inputs", tensors(told.inputs)], ["Outputs", tensors(told.outputs)],
    ["Nodes", operatorWords(told)], ["Parameters", count(told.num_params)], ["Added", when(model.created_at)],
    ["SHA-256", h("code", {}, model.sha256)],
  ]));
  if (!(await mayChange(model.owner))) return;
  fill(byId("remove"), h("details", { class: "form" }, h("summary", {}, "Remove…"),
    h("p", {}, "The model leaves the list, and its file the server; its measurements stay in the database."),
    h("p", { class: "row" }, actButton(`Remove ${model.name}`, async () => {
      await send("DELETE", `/models/${model.model_id}`);
      location.assign("/models");
    }, { class: "quiet" }))));
}

function showMeasurement({ job, latency }) {
  const rows = [
    ["Interval", `${milliseconds(latency.low_us)} to ${milliseconds(latency.high_us)} ms with 90 %`], ["Device", job.device_name],
    ["Conditions", conditions({ ...job.conditions, runtime_version: latency.runtime_version })],
    ["Inputs", latency.inputs.map((each) => `${each.name} ${shape(each.shape)}`).join("; ") || "none"],
    ["Runs", count(latency.num_samples)], ["When", when(latency.measured_at)],
  ];
  if (latency.profiled_us) {
    rows.push(["Under the profiler", `${milliseconds(latency.profiled_us)} ms a run, ${share(latency.profiled_us / latency.raw_latency_us - 1)} more`]);
  }
  if (latency.note) rows.push(["Note", latency.note]);
  fill(byId("latency"), h("p", { class: "figure" }, milliseconds(latency.latency_us), h("small", {}, " ms")), h("dl", {}, facts(rows)));
  for (const link of byId("exports").querySelectorAll("[data-format]")) {
    link.href = `/api/v1${PATH}/measurements/${job.job_id}/export?format=${link.dataset.format}`;
  }
  byId("compare-link").href = `/models/compare?${new URLSearchParams({ "model-a": model.name, a: job.job_id })}`;
  byId("exports").hidden = false;
}

/** Show what there is now; the nodes are read anew only for another measurement. */
async function show() {
  const measurements = await list(`${PATH}/measurements`);
  const asked = new URLSearchParams(location.search).get("job");
  const wanted = asked ?? measurements.find(({ latency }) => latency)?.job.job_id ?? null;
  isAtWork = await showWatched(measurements, show);
  if (wanted && wanted !== shownId) {
    const measured = await get(`${PATH}/measurements/${encodeURIComponent(wanted)}`);
    if (measured.latency) {
      showMeasurement(measured);
      showBars(measured.latency);
      shownId = wanted;
    } else fill(byId("latency"), h("p", {}, `Measurement ${wanted} is ${measured.job.status}. ${measured.job.message}`));
  }
  if (!wanted) fill(byId("latency"), h("p", { class: "hint" }, "Not measured yet."));
  showAll(measurements, shownId);
  const shown = measurements.find(({ job }) => job.job_id === shownId);
  if (shown) showHistory(measurements, shown);
}

await run(async () => {
  model = await get(PATH);
  document.title = `Model ${model.name} · edgenas`;
  await showModel();
  await showForm(model, show);
  await show();
});
repeat(async () => { if (isAtWork) await show(); }, 2000);
