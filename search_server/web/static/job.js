// The state of a job: a word with a shape, and a bar.

import { badge, h } from "./dom.js";

const KINDS = { queued: "off", running: "busy", done: "good", failed: "bad", cancelled: "off" };

/** Return what people call a job: its name, else its id. */
export function jobName(job) {
  return job.name || job.job_id;
}

/** Return a job's name with its id behind it; the id alone where it has no name. */
export function namedId(job, wrap = (words) => words) {
  if (!job.name) return wrap(h("code", {}, job.job_id));
  return h("span", {}, wrap(job.name), h("small", { class: "hint id" }, ` ${job.job_id}`));
}

/** Return the name of a search as a link, with the id behind it where that is not the name. */
export function searchLink(job) {
  return namedId(job, (words) => h("a", { href: `/searches/${job.job_id}` }, words));
}

/** Return whether a job will not change any more. */
export function hasEnded(job) {
  return ["done", "failed", "cancelled"].includes(job.status);
}

/** Return whether a job's latencies are made up, and nothing was measured for them. */
export function isSimulated(job) {
  return job.conditions.runtime === "simulated";
}

/** Return the status as a badge, with another one for simulated latencies. */
export function statusBadge(job) {
  return h("span", { class: "badges" }, badge(KINDS[job.status], job.status),
    isSimulated(job) ? [" ", badge("simulated", "simulated")] : null);
}

/** Return a bar with the share done and what happens now. */
export function progressBar(job, stage = "") {
  const percent = Math.round(100 * job.progress);
  const now = hasEnded(job) ? "" : stage || job.message;
  return h("div", { class: "progress" },
    h("progress", { max: 1, value: job.progress, "aria-label": `${percent} % done` }),
    h("span", {}, `${percent} %`, now ? h("small", {}, ` ${now}`) : null));
}
