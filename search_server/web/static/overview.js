// Searches, profiles, measurements and checks with their progress; where there is no search yet, the way to one.

import { get, list, repeat, run } from "./api.js";
import { byId, commandLine, fill, grid, h } from "./dom.js";
import { ago, milliseconds, share, utc } from "./format.js";
import { isSimulated, progressBar, searchLink, statusBadge } from "./job.js";
import { makeList } from "./list_view.js";

const COLUMNS = [
  { title: "Search" }, { title: "Status" }, { title: "Progress" }, { title: "Device" }, { title: "Space" },
  { title: "Target, ms", number: true }, { title: "Found, ms", number: true }, { title: "Accuracy", number: true },
  { title: "Created" },
];

let searchList = null;

function kind(request) {
  const words = request.origin ? `${request.points === null ? "retarget" : "front"} of ${request.origin}`
    : request.paths === "none" ? "no supernet" : null;
  return words && h("div", { class: "hint" }, words);
}

function foundLatency({ job, result }) {
  if (!result) return null;
  return result.measured_us !== null
    ? `${milliseconds(result.measured_us)} ${isSimulated(job) ? "simulated" : "measured"}` : `${milliseconds(result.predicted_us)} predicted`;
}

function row(search) {
  const { job, request, result, stage } = search;
  const devices = [job.device_name, ...request.also.map(({ device }) => device)].join(", ");
  return {
    key: JSON.stringify([job, stage, result, ago(job.created_at)]),
    values: [`${job.name} ${job.job_id} ${job.note}`, job.status, job.progress, devices, job.space, request.target_ms,
      result ? result.measured_us ?? result.predicted_us : null, result?.test_accuracy ?? null, job.created_at],
    cells: () => [
      h("span", {}, searchLink(job), job.note ? h("div", { class: "hint note-line" }, job.note) : null, kind(request)),
      statusBadge(job), progressBar(job, stage), devices, job.space,
      request.target_ms === null ? null : request.target_ms.toFixed(3), foundLatency(search),
      result ? share(result.test_accuracy) : null, h("time", { datetime: job.created_at, title: utc(job.created_at) }, ago(job.created_at)),
    ],
  };
}

function firstSteps(numDevices, numTables) {
  const step = (isDone, text, ...rest) => h("li", { class: isDone ? "done" : null }, text, ...rest);
  return h("div", { class: "card steps" }, h("h2", {}, "Three steps to a first network"), h("ol", {},
    step(numDevices > 0, numDevices ? "A device has enrolled. " : "Enrol a device: ", h("a", { href: "/devices" }, "devices")),
    step(numTables > 0, numTables ? "A latency table is there. " : "Measure its latency table: press Profile at the device, or",
      numTables ? h("a", { href: "/tables" }, "latency tables") : commandLine("edgenas profile -d DEVICE -s fbnet-tiny")),
    step(false, "Search for a network within a latency: ", h("a", { href: "/searches/new" }, "new search"), ", or",
      commandLine("edgenas search submit -d DEVICE -s fbnet-tiny --data digits --target-ms 0.5 --watch"))));
}

const JOB_COLUMNS = [
  { title: "Job" }, { title: "Kind" }, { title: "Status" }, { title: "Progress" }, { title: "Device" },
  { title: "Space" }, { title: "Outcome" }, { title: "Created" },
];
const MOST_JOBS = 12;

function outcome({ job, snapshot, latencies }) {
  if (snapshot) return h("a", { href: `/tables/${snapshot}` }, h("code", {}, snapshot));
  if (job.status === "failed") return h("span", { class: "hint" }, job.message);
  return latencies?.length ? `${latencies.length} network${latencies.length > 1 ? "s" : ""}` : null;
}

function jobRow(work) {
  const { job } = work;
  return { cells: [job.name || h("code", {}, job.job_id), job.kind, statusBadge(job), progressBar(job), job.device_name,
    job.space, outcome(work), ago(job.created_at)] };
}

async function showDeviceJobs() {
  const pages = await Promise.all(["profiles", "measurements", "checks"].map((kind) => get(`/${kind}?limit=${MOST_JOBS}`)));
  const jobs = pages.flatMap(({ items }) => items)
    .sort((a, b) => Date.parse(b.job.created_at) - Date.parse(a.job.created_at)).slice(0, MOST_JOBS);
  byId("device-jobs").hidden = jobs.length === 0;
  fill(byId("jobs"), grid(JOB_COLUMNS, jobs.map(jobRow), jobs.length < MOST_JOBS ? null : `The newest ${MOST_JOBS} profiles, measurements and checks.`));
}

async function show() {
  await showDeviceJobs();
  const searches = await list("/searches");
  if (!searches.length) {
    const [devices, tables] = await Promise.all([list("/devices"), list("/latency-tables")]);
    fill(byId("searches"), firstSteps(devices.length, tables.length));
    searchList = null;
    return;
  }
  const running = searches.filter(({ job }) => job.status === "running").length;
  byId("summary").textContent = `${searches.length} in all, ${running} running`;
  if (!searchList) {
    const card = h("div", { class: "card" });
    fill(byId("searches"), card);
    searchList = makeList(card, COLUMNS, "Filter searches");
  }
  searchList.show(searches.map(row));
}

await run(show);
repeat(show, 5000);
