// The measurements of a model: all of them as a list, and those like the one that is shown over time.

import { byId, fill, h, when } from "./dom.js";
import { ago, conditions, milliseconds } from "./format.js";
import { statusBadge } from "./job.js";
import { addressWith } from "./list_state.js";
import { makeList } from "./list_view.js";
import { drawTimes } from "./time_chart.js";

const COLUMNS = [
  { title: "Asked" }, { title: "Device", choice: true }, { title: "Conditions" }, { title: "ms", number: true },
  { title: "90 % interval, ms", number: true }, { title: "Status", choice: true }, { title: "Remark" },
];
let all = null;

/** Show all measurements; the shown one is marked, and each that has a latency is a link to it. */
export function showAll(measurements, shownId) {
  if (!measurements.length) {
    fill(byId("measurements"), h("p", {}, "Not measured yet. Choose devices above, and press Start measuring."));
    return;
  }
  all ??= makeList(byId("measurements"), COLUMNS, "Filter measurements", { prefix: "all-" });
  all.show(measurements.map(({ job, latency }) => {
    const asked = { ...job.conditions, runtime_version: latency?.runtime_version ?? job.conditions.runtime_version };
    const remark = job.message || latency?.note || null;
    return {
      key: JSON.stringify([job, latency?.latency_us, shownId, ago(job.created_at)]), kind: job.job_id === shownId ? "found" : null,
      values: [`${job.created_at} ${job.job_id} ${job.name}`, job.device_name, conditions(asked), latency?.latency_us ?? null, latency ? latency.high_us - latency.low_us : null, job.status, remark],
      cells: () => [
        latency ? h("a", { href: addressWith({ job: job.job_id, page: "" }) }, when(job.created_at)) : when(job.created_at), job.device_name, conditions(asked),
        latency ? milliseconds(latency.latency_us) : null, latency ? `${milliseconds(latency.low_us)} to ${milliseconds(latency.high_us)}` : null,
        statusBadge(job), remark,
      ],
    };
  }));
}

/** Show the measurements on the device and under the conditions of the one that is shown, whatever the runtime's version. */
export function showHistory(measurements, shown) {
  const key = ({ job }) => JSON.stringify([job.device_id, { ...job.conditions, runtime_version: null }]);
  const alike = measurements.filter((each) => each.latency && key(each) === key(shown)).sort((a, b) => Date.parse(a.latency.measured_at) - Date.parse(b.latency.measured_at));
  byId("history-card").hidden = false;
  byId("history").hidden = alike.length < 2;
  if (alike.length < 2) {
    byId("history-words").textContent = `Measured once on ${shown.job.device_name} under these conditions. Measured again, its course stands here.`;
    return;
  }
  drawTimes(byId("history"), alike.map(({ job, latency }) => ({
    at: latency.measured_at, y: latency.latency_us / 1000, low: latency.low_us / 1000, high: latency.high_us / 1000,
    name: latency.runtime_version, isChosen: job.job_id === shown.job.job_id,
  })), "ms");
  const versions = [...new Set(alike.map(({ latency }) => latency.runtime_version).filter(Boolean))];
  byId("history-words").textContent = `${alike.length} measurements on ${shown.job.device_name}; bars: 90 % intervals; the large point is the one shown. ${
    versions.length > 1 ? `The runtime's versions, the oldest first: ${versions.join(", ")}.` : ""}`;
}
