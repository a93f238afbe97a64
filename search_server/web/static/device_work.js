// What a device is asked from its card: profile a space, measure a network, check a table; and what it works on.

import { act, actButton, mayChange, send } from "./api.js";
import { choice, field, h } from "./dom.js";
import { progressBar, statusBadge } from "./job.js";

const PATHS = { profile: "profiles", measurement: "measurements", check: "checks" };
const spaces = document.body.querySelector("[data-spaces]")?.dataset.spaces.split(" ") ?? [];

/** Return a card's forms; `done` is called when a job was queued. */
export function deviceForms(device, done) {
  if (device.is_imported) return null;
  return h("div", { class: "forms" },
    form("Profile…", "Start profiling", device, [], done, ({ space, conditions, noise }) => send("POST", "/profiles", {
      device: device.device_id, space, conditions, accept_noise: noise,
    })),
    form("Measure…", "Start measuring", device, [field("Network", h("input", {
      name: "network", required: true, value: "k3_e3", spellcheck: "false", list: "networks",
    }), "Blocks with commas between them, one block for all layers, or a known name.")], done,
    ({ space, conditions, noise, network }) => send("POST", "/measurements", {
      device: device.device_id, space, conditions, accept_noise: noise, architectures: [network],
    })));
}

function form(title, action, { device }, fields, done, submit) {
  const runtimes = device.runtimes.map(({ name }) => name);
  const submitButton = h("button", { type: "submit" }, action);
  const details = h("details", { class: "form" }, h("summary", {}, title));
  const element = h("form", {
    onsubmit: (event) => {
      event.preventDefault();
      const values = new FormData(event.target);
      act(submitButton, async () => {
        const conditions = { runtime: values.get("runtime"), dtype: values.get("dtype"), threads: Number(values.get("threads")) };
        await submit({ space: values.get("space").trim(), conditions, noise: values.has("noise"), network: values.get("network")?.trim() });
        details.open = false;
        details.querySelector("summary").focus();
        await done();
      });
    },
  }, field("Space", h("input", { name: "space", required: true, value: spaces[0] ?? "", list: "spaces", spellcheck: "false" })),
  fields, h("div", { class: "fields" },
    field("Runtime", choice(runtimes, null, { name: "runtime" })),
    field("Numbers", choice([...new Set(device.runtimes.flatMap(({ dtypes }) => dtypes))], "fp32", { name: "dtype" })),
    field("Threads", h("input", { name: "threads", type: "number", min: 1, max: device.num_cores, value: 1, required: true }))),
  h("label", { class: "tick-box" }, h("input", { type: "checkbox", name: "noise" }), " Take the device as it is, noise and all"),
  h("p", { class: "row" }, submitButton));
  details.append(element);
  return details;
}

/** Return the unfinished jobs of a device, each with a button that cancels it where the person may. */
export async function workList(works, done) {
  return Promise.all(works.map(async ({ job }) => h("li", {},
    h("div", { class: "row" }, h("strong", {}, `${job.name || `${job.kind} ${job.space}`} `), statusBadge(job),
      await mayChange(job.owner)
        ? actButton("Cancel", async () => { await send("POST", `/${PATHS[job.kind]}/${job.job_id}/cancel`); await done(); },
          { class: "quiet", "aria-label": `Cancel ${job.kind} of ${job.space}` }) : null),
    progressBar(job))));
}

/** Return a button that offers a device the server's agent, where it would take it and the person may ask. */
export async function upgradeButton({ device_id: id, name, owner, can_upgrade: can, should_upgrade: isAsked }, done) {
  if (!can || isAsked || !(await mayChange(owner))) return null;
  return actButton("Upgrade the agent", async () => { await send("POST", `/devices/${id}/upgrade`); await done(); },
    { class: "quiet", "aria-label": `Upgrade the agent of ${name}` });
}

/** Return a button that asks whether a table still holds. */
export function checkButton({ snapshot, space }, done) {
  return actButton("Check", async () => { await send("POST", `/latency-tables/${snapshot}/checks`); await done(); },
    { class: "quiet", "aria-label": `Check the table of ${space}` });
}
