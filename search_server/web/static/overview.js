// Searches, profiles, measurements and checks with their progress; where there is no search yet, the way to one.

import { get, list, repeat, run } from "./api.js";
import { byId, commandLine, fill, h, when } from "./dom.js";
import { ago, milliseconds, share } from "./format.js";
import { hasEnded, isSimulated, namedId, progressBar, searchLink, statusBadge } from "./job.js";
import { makeList } from "./list_view.js";
import { shortSpace } from "./table_names.js";

const COLUMNS = [
  { title: "Search" }, { title: "Status", choice: true }, { title: "Progress" }, { title: "Device", choice: true }, { title: "Space", choice: true },
  { title: "Target, ms", number: true }, { title: "Found, ms", number: true }, { title: "Accuracy", number: true },
  { title: "Created" },
];
const JOB_COLUMNS = [
  { title: "Job" }, { title: "Kind", choice: true }, { title: "Status", choice: true }, { title: "Progress" }, { title: "Device", choice: true },
  { title: "Space", choice: true }, { title: "Outcome" }, { title: "Created" },
];
const MOST_JOBS = 100; // of each kind
const NEWEST = 50; // searches that are read again and again

const searches = new Map(); // by id: {job, request, result, stage}
let searchList = null;
let jobList = null;

function kind(request) {
  const words = request.origin ? `${request.points === null ? "retarget" : "front"} of ${searches.get(request.origin)?.job.name || request.origin}`
    : request.paths === "none" ? "no supernet" : null;
  return words && h("div", { class: "hint" }, words);
}

function foundLatency({ job, result }) {
  if (!result) return null;
  return result.measured_us !== null
    ? `${milliseconds(result.measured_us)} ${isSimulated(job) ? "simulated" : "measured"}` : `${milliseconds(result.predicted_us)} predicted`;
}

/** Return what a job is called, its note, and whose it is where that is told. */
function nameCell(job, name, ...more) {
  const owner = job.owner === "shared" ? null : h("div", { class: "hint" }, `by ${job.owner}${job.is_private ? ", private" : ""}`);
  return h("span", {}, name, job.note ? h("div", { class: "hint note-line", title: job.note }, job.note) : null, more, owner);
}

const wordsOf = (job) => `${job.name} ${job.job_id} ${job.note} ${job.owner}`;

function row(search) {
  const { job, request, result, stage } = search;
  const devices = [job.device_name, ...request.also.map(({ device }) => device)].join(", ");
  return {
    key: JSON.stringify([job, stage, result, ago(job.created_at)]),
    values: [wordsOf(job), job.status, job.progress, devices, job.space, request.target_ms,
      result ? result.measured_us ?? result.predicted_us : null, result?.test_accuracy ?? null, job.created_at],
    cells: () => [
      nameCell(job, searchLink(job), kind(request)), statusBadge(job), progressBar(job, stage), devices, job.space,
      request.target_ms === null ? null : request.target_ms.toFixed(3), foundLatency(search),
      result ? share(result.test_accuracy) : null, when(job.created_at),
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
      commandLine("edgenas search submit -d DEVICE -s fbnet-tiny --data digits --target-ms 0.5 --watch"))),
  h("p", {}, "Or measure a model of your own on a device: ", h("a", { href: "/models" }, "models"), "."));
}

function outcome({ job, snapshot, latencies }) {
  if (snapshot) return h("a", { href: `/tables/${snapshot}` }, "table ", h("code", {}, snapshot));
  if (job.status === "failed") return h("span", { class: "hint" }, job.message);
  return latencies?.length ? `${latencies.length} network${latencies.length > 1 ? "s" : ""}` : null;
}

/** A job without a name is called after what it does. */
function jobName({ kind: what, space }) {
  return `${what} of ${shortSpace(space)}`;
}

function jobRow(work) {
  const { job } = work;
  const told = work.snapshot ?? (job.status === "failed" ? job.message : work.latencies?.length ?? null);
  return {
    key: JSON.stringify([job, told, ago(job.created_at)]),
    values: [wordsOf(job), job.kind, job.status, job.progress, job.device_name, job.space, told, job.created_at],
    cells: () => [nameCell(job, namedId(job.name ? job : { ...job, name: jobName(job) })), job.kind, statusBadge(job), progressBar(job), job.device_name, job.space, outcome(work), when(job.created_at)],
  };
}

async function showDeviceJobs() {
  const pages = await Promise.all(["profiles", "measurements", "checks"].map((name) => get(`/${name}?limit=${MOST_JOBS}`)));
  const jobs = pages.flatMap(({ items }) => items).sort((a, b) => Date.parse(b.job.created_at) - Date.parse(a.job.created_at));
  byId("device-jobs").hidden = jobs.length === 0;
  byId("jobs-words").textContent = pages.some(({ next_cursor: cursor }) => cursor) ? `The newest ${MOST_JOBS} profiles, measurements and checks of each kind.` : "";
  if (jobs.length) jobList ??= makeList(byId("jobs"), JOB_COLUMNS, "Filter jobs", { prefix: "jobs-", perPage: 12 });
  jobList?.show(jobs.map(jobRow));
}

/** Read all searches once, from then on the newest; all again while an older one is at work. */
async function readSearches() {
  const isOldAtWork = [...searches.values()].slice(NEWEST).some(({ job }) => !hasEnded(job));
  const found = searches.size && !isOldAtWork ? (await get(`/searches?limit=${NEWEST}`)).items : await list("/searches");
  for (const search of found) searches.set(search.job.job_id, search);
  return [...searches.values()].sort((a, b) => Date.parse(b.job.created_at) - Date.parse(a.job.created_at));
}

async function show() {
  await showDeviceJobs();
  const all = await readSearches();
  if (!all.length) {
    const [devices, tables] = await Promise.all([list("/devices"), list("/latency-tables")]);
    fill(byId("searches"), firstSteps(devices.length, tables.length));
    return;
  }
  const running = all.filter(({ job }) => job.status === "running").length;
  byId("summary").textContent = `${all.length} in all, ${running} running`;
  if (!searchList) {
    const card = h("div", { class: "card" });
    fill(byId("searches"), card);
    searchList = makeList(card, COLUMNS, "Filter searches");
  }
  searchList.show(all.map(row));
}

await run(show);
repeat(show, 5000);
