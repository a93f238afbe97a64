// One search, live: curves, theta, stage, and what was found against the baselines.

import { attempt, get, run } from "./api.js";
import { drawCurves } from "./charts.js";
import { byId, facts, fill, h, refill, when } from "./dom.js";
import { conditions, share, utc } from "./format.js";
import { heatMap } from "./heat_map.js";
import { hasEnded, jobName, progressBar, statusBadge } from "./job.js";
import { showActions } from "./search_actions.js";
import { showResults } from "./search_results.js";

const jobId = document.body.dataset.subject;
const namedSpaceCandidates = JSON.parse(byId("theta").dataset.candidates);
const steps = []; // the scalars of each step that is shown, in order
const thetas = new Map(); // step -> {phase, theta, drawn_from}, asked for when it is looked at
let search = null;
let followsNewest = true;

const SCALARS = ["epoch", "weight_loss", "theta_loss", "accuracy", "expected_latency_us", "entropy"];

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
  showParts();
  const { job, request, stage } = search;
  byId("name").textContent = jobName(job);
  document.title = `Search ${jobName(job)} · edgenas`;
  byId("note").textContent = job.note;
  fill(byId("marks"), statusBadge(job));
  fill(byId("progress"), progressBar(job, stage),
    job.message ? h("p", { class: job.status === "failed" ? "failure" : "hint" }, job.message) : null,
    timeLeft(job) ? h("p", { class: "hint" }, timeLeft(job)) : null,
    job.status === "queued" && !job.message ? h("p", { class: "hint" }, "It begins as soon as a worker is free; search-server worker starts one more.") : null);
  attempt(() => showActions(search, (changed) => {
    const isRunningAgain = hasEnded(search.job) && !hasEnded(changed.job);
    search = changed;
    showSearch();
    if (isRunningAgain) listen();
  }));
  const others = request.also.map((other) => `${other.device}${other.target_ms === null ? "" : ` ${other.target_ms} ms`}`);
  fill(byId("facts"), facts([
    ["Device", [job.device_name, ...others].join(", ")],
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
    ["Created", when(job.created_at, `${utc(job.created_at)}, `)],
    ["Id", h("code", {}, job.job_id)],
  ]));
  refill(byId("results"), [job.status, search.architectures, search.result], () => showResults(search));
}

/** Curves and theta are there for a search of a supernet from its first step on. */
function showParts() {
  const isSupernet = search.request.paths !== "none" && search.request.origin === null;
  for (const part of document.querySelectorAll(".of-supernet")) part.hidden = !isSupernet || !steps.length;
}

/** How long a running search will go on, if it goes on as until now. */
function timeLeft({ status, started_at: started, progress }) {
  if (status !== "running" || !started || progress < 0.02) return "";
  const spent = (Date.now() - Date.parse(started)) / 1000, left = spent * (1 - progress) / progress;
  const words = left < 90 ? `${Math.round(left)} s` : left < 5400 ? `${Math.round(left / 60)} min` : `${(left / 3600).toFixed(1)} h`;
  return `about ${words} left, if it goes on as until now`;
}

function showSteps() {
  if (!steps.length) return;
  showParts();
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

/** A space of one's own is written out in its name. */
function candidatesOf(space) {
  return /blocks=([^,]+)/.exec(space)?.[1].split("-") ?? namedSpaceCandidates[space.split(":")[0]];
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
      label: `${candidates[index]}: ${share(value)}${candidates[index] === found[layer] ? ", in the delivered network" : ""}`,
    })),
  }));
  fill(byId("theta"), heatMap(candidates, rows, found.length
    ? "Probability of each candidate block in each layer; the delivered network is outlined"
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
  const [found, curves] = await Promise.all([get(path), get(`${path}/curves`)]);
  search = found;
  for (const [index, step] of curves.step.entries()) {
    steps.push({ step, ...Object.fromEntries(SCALARS.map((name) => [name, curves[name][index]])) });
  }
  showSearch();
  showSteps();
  if (!hasEnded(search.job)) await attempt(async () => listen());
});
