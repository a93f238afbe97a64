// All searches with their progress; where there is none yet, the way to the first one.

import { list, repeat, run } from "./api.js";
import { byId, commandLine, fill, grid, h } from "./dom.js";
import { ago, milliseconds, share } from "./format.js";
import { progressBar, statusBadge } from "./job.js";

const COLUMNS = [
  { title: "Search" }, { title: "Status" }, { title: "Progress" }, { title: "Device" }, { title: "Space" },
  { title: "Target, ms", number: true }, { title: "Found, ms", number: true }, { title: "Accuracy", number: true },
  { title: "Created" },
];

function row({ job, request, result, stage }) {
  const latency = !result ? null : result.measured_us !== null
    ? `${milliseconds(result.measured_us)} measured` : `${milliseconds(result.predicted_us)} predicted`;
  return { cells: [
    h("a", { href: `/searches/${job.job_id}` }, h("code", {}, job.job_id)),
    statusBadge(job), progressBar(job, stage), job.device_name, job.space,
    request.target_ms === null ? null : request.target_ms.toFixed(3), latency,
    result ? share(result.test_accuracy) : null, ago(job.created_at),
  ] };
}

function firstSteps(numDevices, numTables) {
  const step = (isDone, text, ...rest) => h("li", { class: isDone ? "done" : null }, text, ...rest);
  return h("div", { class: "card steps" }, h("h2", {}, "Three steps to a first network"), h("ol", {},
    step(numDevices > 0, numDevices ? "A device has enrolled. " : "Enrol a device: ", h("a", { href: "/devices" }, "devices")),
    step(numTables > 0, numTables ? "A latency table is there. " : "Measure its latency table: ",
      numTables ? h("a", { href: "/tables" }, "latency tables") : commandLine("edgenas profile -d DEVICE -s fbnet-tiny")),
    step(false, "Search for a network within a latency: ",
      commandLine("edgenas search submit -d DEVICE -s fbnet-tiny --data digits --target-ms 0.5 --watch"))));
}

async function show() {
  const searches = await list("/searches");
  if (!searches.length) {
    const [devices, tables] = await Promise.all([list("/devices"), list("/latency-tables")]);
    fill(byId("searches"), firstSteps(devices.length, tables.length));
    return;
  }
  const running = searches.filter(({ job }) => job.status === "running").length;
  byId("summary").textContent = `${searches.length} in all, ${running} running`;
  fill(byId("searches"), h("div", { class: "card scroll" }, grid(COLUMNS, searches.map(row))));
}

await run(show);
repeat(show, 5000);
