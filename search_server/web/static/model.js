// One model: its newest measurement, operators, nodes in an order of choice. '?job=' shows another one.

import { get, list, run } from "./api.js";
import { byId, commandLine, facts, fill, grid, h } from "./dom.js";
import { ago, conditions, count, microseconds, milliseconds, share } from "./format.js";

const NAME = document.body.dataset.subject;
const PATH = `/models/${encodeURIComponent(NAME)}`;
const ORDERS = {
  "Slowest first": (a, b) => b.latency_us - a.latency_us,
  "As they run": (a, b) => a.place - b.place,
  "By operator": (a, b) => a.op_type.localeCompare(b.op_type) || b.latency_us - a.latency_us,
  "By name": (a, b) => a.node.localeCompare(b.node),
};

const shape = (sizes) => sizes.map((size) => size ?? "?").join(" × ") || "scalar";
const tensors = (all) => all.map(({ name, dtype, shape: sizes }) => `${name} ${dtype} ${shape(sizes)}`).join("; ") || "none";

function showNodes(nodes) {
  const placed = nodes.map((node, place) => ({ ...node, place }));
  const columns = [{ title: "Node" }, { title: "Operator" }, { title: "µs", number: true },
    { title: "Share", number: true }, { title: "µs under the profiler", number: true }, { title: "Shapes" }];
  const show = (order) => fill(byId("nodes"), grid(columns, placed.toSorted(order).map((node) => ({ cells: [
    h("code", {}, node.node), node.op_type, microseconds(node.latency_us), share(node.share),
    microseconds(node.profiled_us), node.shapes,
  ] }))));
  fill(byId("order"), Object.entries(ORDERS).map(([title, order]) =>
    h("button", { type: "button", class: "quiet", onclick: () => show(order) }, title)));
  show(ORDERS["Slowest first"]);
}

function showMeasurement({ job, latency }) {
  const interval = `${milliseconds(latency.low_us)} to ${milliseconds(latency.high_us)} ms with 90 %`;
  const rows = [
    ["Latency", `${milliseconds(latency.latency_us)} ms; ${interval}`], ["Device", job.device_name],
    ["Conditions", conditions({ ...job.conditions, runtime_version: latency.runtime_version })],
    ["Inputs", latency.inputs.map((each) => `${each.name} ${shape(each.shape)}`).join("; ") || "none"],
    ["Runs", count(latency.num_samples)],
  ];
  if (latency.profiled_us) rows.push(["Under the profiler", `${milliseconds(latency.profiled_us)} ms a run`]);
  if (latency.note) rows.push(["Note", latency.note]);
  fill(byId("latency"), h("dl", {}, facts(rows)));
  const columns = [{ title: "Operator" }, { title: "Nodes", number: true }, { title: "ms", number: true }, { title: "Share", number: true }];
  fill(byId("operators"), latency.operators.length
    ? grid(columns, latency.operators.map((each) => ({ cells: [each.op_type, each.num_nodes, milliseconds(each.latency_us), share(each.share)] })))
    : h("p", { class: "hint" }, "The time is known of the whole only."));
  showNodes(latency.nodes);
  for (const link of byId("exports").querySelectorAll("a")) {
    link.href = `/api/v1${PATH}/measurements/${job.job_id}/export?format=${link.dataset.format}`;
  }
  byId("exports").hidden = false;
}

function showAll(measurements) {
  const columns = [{ title: "Job" }, { title: "Device" }, { title: "Conditions" }, { title: "ms", number: true }, { title: "State" }, { title: "Asked" }];
  fill(byId("measurements"), measurements.length ? grid(columns, measurements.map(({ job, latency }) => ({ cells: [
    latency ? h("a", { href: `?job=${job.job_id}` }, job.job_id) : job.job_id, job.device_name,
    conditions(job.conditions), milliseconds(latency?.latency_us), job.message ? `${job.status}: ${job.message}` : job.status, ago(job.created_at),
  ] }))) : h("div", { class: "steps" }, h("p", {}, "Not measured yet:"), commandLine(`edgenas model measure ${NAME} -d DEVICE`)));
}

await run(async () => {
  const model = await get(PATH);
  const { facts: told } = model;
  fill(byId("facts"), facts([
    ["File", `${model.format}, ${told.version}, ${count(model.size_bytes)} bytes`], ["Numbers", told.dtype],
    ["Written by", told.producer || "not told"], ["Inputs", tensors(told.inputs)], ["Outputs", tensors(told.outputs)],
    ["Nodes", count(told.num_nodes)], ["Parameters", count(told.num_params)], ["SHA-256", h("code", {}, model.sha256)],
  ]));
  const measurements = await list(`${PATH}/measurements`);
  showAll(measurements);
  const job = new URLSearchParams(location.search).get("job") ?? measurements.find(({ latency }) => latency)?.job.job_id;
  if (job) showMeasurement(await get(`${PATH}/measurements/${encodeURIComponent(job)}`));
});
