// One search, live: curves, theta, stage, and what was found against the baselines.

import { attempt, get, run } from "./api.js";
import { drawCurves } from "./charts.js";
import { badge, byId, commandLine, facts, fill, grid, h } from "./dom.js";
import { ago, conditions, count, milliseconds, share, signed } from "./format.js";
import { heatMap } from "./heat_map.js";
import { hasEnded, isSimulated, progressBar, statusBadge } from "./job.js";

const jobId = document.body.dataset.subject;
const namedSpaceCandidates = byId("theta").dataset.candidates.split(",");
const steps = []; // the scalars of each step that is shown, in order
const thetas = new Map(); // step -> {phase, theta, drawn_from}, asked for when it is looked at
let search = null;
let followsNewest = true;

const columns = (measured) => [
  { title: "Network" }, { title: "Predicted, ms", number: true }, { title: `${measured}, ms`, number: true },
  { title: "Difference", number: true }, { title: "Validation", number: true }, { title: "Test", number: true },
  { title: "MACs", number: true }, { title: "Params", number: true }, { title: "Blocks" },
];

const SCALARS = ["epoch", "weight_loss", "theta_loss", "accuracy", "expected_latency_us", "entropy"];

const roleWords = { most_macs: "most MACs" };

const thetaWords = {
  effects: "effects of a regression, no gradient", straight_through: "a straight-through gradient",
  leave_one_out: "a score-function gradient, leave-one-out",
};

function lossInWords(request) {
  if (request.loss === "fbnet") return `fbnet: CE × ${request.alpha} × log(LAT in ${request.latency_unit})^${request.beta}`;
  if (request.loss === "additive") return `additive: CE + ${request.latency_weight} × log(LAT)`;
  return request.loss;
}

function searchedHow(request) {
  if (request.origin) {
    return [[request.points === null ? "Decoded from" : "Front of", h("a", { href: `/searches/${request.origin}` }, h("code", {}, request.origin))]];
  }
  if (request.paths === "none") return [["Found by", `the most ${request.most === "both" ? "MACs and parameters" : request.most} within the limits, decoded from the table; no supernet`]];
  return [
    ["Loss", lossInWords(request)],
    ["Paths a step", request.paths],
    ["Theta learns by", request.paths !== "one" ? "a gradient through factors" : thetaWords[request.theta_gradient]],
    ["Weights", request.weights],
    ["Epochs", `${request.epochs}, the first ${request.warmup_epochs} train weights only`],
    ["Batch", `${request.batch_size} images, weights in steps of ${
      Math.min(request.step_images, request.batch_size)}, ${request.mixed_precision ? "bf16 forward passes" : "fp32"}`],
  ];
}

function showSearch() {
  for (const part of document.querySelectorAll(".of-supernet")) {
    part.hidden = search.request.paths === "none" || search.request.origin !== null;
  }
  const { job, request, stage, result } = search;
  fill(byId("marks"), statusBadge(job));
  fill(byId("progress"), progressBar(job, stage),
    job.message ? h("p", { class: job.status === "failed" ? "failure" : "hint" }, job.message) : null,
    result ? commandLine(`edgenas search export ${job.job_id} --format onnx -o network.onnx`) : null,
    job.status === "failed" || job.status === "cancelled" ? commandLine(`edgenas search resume ${job.job_id}`) : null);
  fill(byId("facts"), facts([
    ["Device", job.device_name],
    ["Conditions", conditions(job.conditions)],
    ["Space", job.space],
    ["Data", request.data],
    ["Target", request.target_ms === null ? "none" : `${request.target_ms} ms`],
    ["Preset", request.preset],
    ...searchedHow(request),
    ["Training", request.train_epochs === 0 ? "none"
      : `${request.training === "scratch" ? "from scratch" : "fine-tuned from the supernet's weights"}, ${request.train_epochs} epochs`],
    ["Seed", String(request.seed)],
    ["Latency table", search.snapshot
      ? h("a", { href: `/tables/${search.snapshot}` }, h("code", {}, search.snapshot)) : "not chosen yet"],
    ["Created", ago(job.created_at)],
  ]));
  showComparison();
}

/** A front: for each device its targets, and the network that was decoded for each. */
function showFront() {
  const points = search.architectures.flatMap((network) => network.decoded_for.map((point) => ({ network, point })));
  const on = (network, device) => network.others.find((other) => other.device === device) ?? network;
  points.sort((a, b) => a.point.device.localeCompare(b.point.device) || a.point.target_us - b.point.target_us);
  const rows = points.map(({ network, point }) => {
    const { predicted_us, measured_us } = on(network, point.device);
    return { cells: [
      point.device, milliseconds(point.target_us), milliseconds(predicted_us), milliseconds(measured_us),
      signed((measured_us ?? predicted_us) / point.target_us - 1), network.estimated_nats?.toFixed(3) ?? null,
      share(network.test_accuracy), count(network.macs), count(network.params),
      h("details", {}, h("summary", {}, "show"), h("code", {}, network.architecture.replaceAll(",", ", "))),
    ] };
  });
  fill(byId("comparison"), grid([
    { title: "Device" }, { title: "Target, ms", number: true }, { title: "Predicted, ms", number: true },
    { title: "Measured, ms", number: true }, { title: "Of target", number: true }, { title: "Estimated, nats", number: true },
    { title: "Test", number: true }, { title: "MACs", number: true }, { title: "Params", number: true }, { title: "Blocks" },
  ], rows, "Estimated: what the search's effects say of cross entropy, against the mean of all networks; less is better."));
}

function showComparison() {
  if (search.request.points !== null) {
    byId("results").hidden = search.architectures.length === 0;
    showFront();
    return;
  }
  byId("results").hidden = search.architectures.length === 0;
  const targetUs = search.request.target_ms === null ? Infinity : 1000 * search.request.target_ms;
  const rows = search.architectures.map((network) => {
    const isFound = network.role === "found";
    const isResult = isFound && network.architecture === search.result?.architecture;
    const other = search.request.paths === "none" ? "decoded" : "sampled";
    const name = isFound && !isResult ? other : roleWords[network.role] ?? network.role;
    const measured = network.measured_us;
    const isOver = isFound && (measured ?? network.predicted_us) > targetUs;
    return { kind: isResult ? "found" : null, cells: [
      h("span", {}, name, isOver ? badge("bad", "over target") : null),
      milliseconds(network.predicted_us), milliseconds(measured),
      measured === null ? null : signed(measured / network.predicted_us - 1),
      share(network.validation_accuracy), share(network.test_accuracy),
      count(network.macs), count(network.params),
      h("details", {}, h("summary", {}, "show"), h("code", {}, network.architecture.replaceAll(",", ", "))),
    ] };
  });
  const measured = isSimulated(search.job) ? "Simulated" : "Measured";
  const how = isSimulated(search.job) ? "drawn with a device's noise, not measured" : "on the device, at the table's level";
  showFiles();
  fill(byId("comparison"), grid(columns(measured), rows, search.request.target_ms === null ? null
    : `Target ${search.request.target_ms} ms. Predicted: from the latency table. ${measured}: ${how}. ${
      search.request.paths === "none" ? "Decoded: before the limit was corrected." : "Sampled: drawn from θ, not chosen."}`));
}

/** The exported files, each with its own size, accuracy and latency. */
function showFiles() {
  const files = search.result?.files ?? [];
  byId("files").hidden = files.length === 0;
  if (!files.length) return;
  const devices = [...new Set(files.flatMap((file) => file.latencies.map(({ device }) => device)))];
  const columns = [{ title: "File" }, { title: "Size, kB", number: true },
    ...devices.map((device) => ({ title: `Measured on ${device}, ms`, number: true })),
    { title: "Validation", number: true }, { title: "Test", number: true }];
  const rows = files.map((file) => ({ cells: [
    h("a", { href: `/api/v1/searches/${search.job.job_id}/export?format=${file.format}&dtype=${file.dtype}` },
      `${file.format} ${file.dtype}`),
    (file.size_bytes / 1000).toFixed(0),
    ...devices.map((device) => milliseconds(file.latencies.find((each) => each.device === device)?.measured_us)),
    share(file.validation_accuracy), share(file.test_accuracy),
  ] }));
  fill(byId("file-table"), grid(columns, rows, "Each file was run and measured as it is handed out. It takes uint8 images."));
}

function showSteps() {
  if (!steps.length) return;
  const x = steps.map((step) => step.epoch + 1);
  const curve = (name, read, second = false) => ({ name, x, y: steps.map(read), second });
  drawCurves(byId("latency-chart"), [curve("E[LAT]", (step) => step.expected_latency_us / 1000)],
    { target: search.request.target_ms, targetName: `target ${search.request.target_ms} ms` });
  drawCurves(byId("loss-chart"), [curve("weights", (step) => step.weight_loss), curve("θ", (step) => step.theta_loss)]);
  drawCurves(byId("accuracy-chart"),
    [curve("accuracy", (step) => step.accuracy), curve("entropy, nats", (step) => step.entropy, true)]);
  attempt(showChosenTheta);
}

async function thetaOf(step) {
  if (!thetas.has(step)) {
    const page = await get(`/searches/${encodeURIComponent(jobId)}/steps?cursor=${step - 1}&limit=1`);
    thetas.set(step, page.items[0]);
  }
  return thetas.get(step);
}

/** Theta of the step that the slider stands on; one place more is what networks were drawn from. */
async function showChosenTheta() {
  const slider = byId("epoch");
  const last = await thetaOf(steps[steps.length - 1].step);
  slider.max = last.drawn_from ? steps.length : steps.length - 1;
  if (followsNewest) slider.value = slider.max;
  const place = Number(slider.value);
  if (place === steps.length) {
    showTheta(last.drawn_from, "what networks were drawn from");
    return;
  }
  const step = await thetaOf(steps[place].step);
  if (place === Number(slider.value)) showTheta(step.theta, `${step.epoch + 1} (${step.phase})`); // else it moved on
}

/** A space of one's own is written out in its name; all others have the same candidates. */
function candidatesOf(space) {
  return /blocks=([^,]+)/.exec(space)?.[1].split("-") ?? namedSpaceCandidates;
}

function showTheta(probabilities, name) {
  const candidates = candidatesOf(search.job.space);
  byId("epoch-name").textContent = name;
  const found = search.result?.architecture.split(",") ?? [];
  const rows = probabilities.map((row, layer) => ({
    name: `layer${String(layer + 1).padStart(2, "0")}`,
    cells: row.map((value, index) => ({
      text: value.toFixed(2), place: value,
      kind: [value === Math.max(...row) ? "leading" : "", candidates[index] === found[layer] ? "found" : ""].join(" "),
      label: `${candidates[index]}: ${share(value)}${candidates[index] === found[layer] ? ", in the found network" : ""}`,
    })),
  }));
  fill(byId("theta"), heatMap(candidates, rows, found.length
    ? "Probability of each candidate block in each layer; the found network is outlined"
    : "Probability of each candidate block in each layer"));
}

let isDrawingDue = false;

/** Draw once a frame, however many steps arrive. */
function drawSoon() {
  if (isDrawingDue) return;
  isDrawingDue = true;
  requestAnimationFrame(() => {
    isDrawingDue = false;
    showSteps();
  });
}

function listen() {
  const after = steps.length ? steps[steps.length - 1].step : -1;
  const source = new EventSource(`/api/v1/searches/${encodeURIComponent(jobId)}/events?after=${after}`);
  source.addEventListener("step", ({ data }) => {
    const step = JSON.parse(data);
    if (steps.length && step.step <= steps[steps.length - 1].step) return;
    thetas.set(step.step, step);
    steps.push(step);
    drawSoon();
  });
  source.addEventListener("search", ({ data }) => {
    search = JSON.parse(data);
    showSearch();
    if (hasEnded(search.job)) {
      source.close();
      showDrawing();
    }
  });
}

/** The last step is told what networks were drawn from after it was sent: ask for it once more. */
function showDrawing() {
  if (!steps.length) return;
  thetas.delete(steps[steps.length - 1].step);
  drawSoon();
}

byId("epoch").addEventListener("input", (event) => {
  followsNewest = event.target.value === event.target.max;
  attempt(showChosenTheta);
});

await run(async () => {
  const path = `/searches/${encodeURIComponent(jobId)}`;
  search = await get(path);
  showSearch();
  const curves = await get(`${path}/curves`);
  for (const [index, step] of curves.step.entries()) {
    steps.push({ step, ...Object.fromEntries(SCALARS.map((name) => [name, curves[name][index]])) });
  }
  showSteps();
  if (!hasEnded(search.job)) await attempt(async () => listen());
});
