// What a device is asked from its card: profile a space, measure a network, check a table; and what it works on.

import { act, actButton, ApiError, mayChange, send } from "./api.js";
import { conditionField, conditionFields, conditionsOf } from "./condition_fields.js";
import { field, h } from "./dom.js";
import { clearErrors, namedField, showErrors } from "./field_errors.js";
import { hasEnded, progressBar, statusBadge } from "./job.js";

const PATHS = { profile: "profiles", measurement: "measurements", check: "checks" };
const spaces = document.body.querySelector("[data-spaces]")?.dataset.spaces.split(" ") ?? [];

/** Return a card's forms; `done` is called when a job was queued. */
export function deviceForms(device, done) {
  if (device.is_imported) return null;
  const request = (values) => ({
    device: device.device_id, space: values.get("space").trim(), conditions: conditionsOf(values),
    accept_noise: values.has("accept_noise"), private: values.has("private"), name: values.get("name").trim(),
  });
  return h("div", { class: "forms" },
    form("Profile…", "Start profiling", device, [h("label", { class: "tick-box" }, h("input", { type: "checkbox", name: "force" }), " Even where a valid table exists")],
      done, (values) => send("POST", "/profiles", { ...request(values), force: values.has("force") })),
    form("Measure…", "Start measuring", device, [field("Network", h("input", {
      name: "architectures", required: true, value: "k3_e3", spellcheck: "false", list: "networks",
    }), "Blocks with commas between them, one block for all layers, or a known name.")], done,
    (values) => send("POST", "/measurements", { ...request(values), architectures: [values.get("architectures").trim()] })));
}

function form(title, action, { device }, fields, done, submit) {
  const submitButton = h("button", { type: "submit" }, action);
  const details = h("details", { class: "form" }, h("summary", {}, title)), said = h("p", { class: "hint", role: "status" });
  const element = h("form", { autocomplete: "off", novalidate: true }, field("Space", h("input", { name: "space", required: true, value: spaces[0] ?? "", list: "spaces", spellcheck: "false" })),
    fields, conditionFields({
      runtimes: device.runtimes.map(({ name }) => name), dtypes: [...new Set(device.runtimes.flatMap(({ dtypes }) => dtypes))],
      maxThreads: device.num_cores, accelerators: [...new Set(device.runtimes.flatMap(({ accelerators }) => accelerators))],
    }, [field("Name of the job", h("input", { name: "name", maxlength: 100 }), "May stay empty; commands take it in place of the id."),
      h("label", { class: "tick-box" }, h("input", { type: "checkbox", name: "private" }), " Only I and administrators find it")]),
    h("label", { class: "tick-box" }, h("input", { type: "checkbox", name: "accept_noise" }), " Take the device as it is, noise and all"),
    h("p", { class: "row" }, submitButton));
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    act(submitButton, async () => {
      clearErrors(element);
      said.textContent = "";
      try {
        const { job } = await submit(new FormData(element));
        if (job.status === "done") said.textContent = "A valid table exists, and stands above; tick Even where a valid table exists to measure again.";
      } catch (error) {
        const words = showErrors(error, (fault) => conditionField(element, error) ?? namedField(element, fault));
        element.querySelector("[aria-invalid]")?.focus();
        throw new ApiError(error.status, { detail: words || "Not started: see what stands at the field." });
      }
      details.open = false;
      details.querySelector("summary").focus();
      await done();
    });
  });
  details.append(element);
  return h("div", {}, details, said);
}

const MOST_WORKS = 5;

/** Return the jobs of a device that are at work, each with a button that cancels it where the person may, and failed ones. */
export async function workList(works, done) {
  const more = works.length - MOST_WORKS;
  const items = await Promise.all(works.slice(0, MOST_WORKS).map(async ({ job }) => h("li", {},
    h("div", { class: "row" }, h("strong", {}, `${job.name || `${job.kind} ${job.space}`} `), statusBadge(job),
      !hasEnded(job) && await mayChange(job.owner)
        ? actButton("Cancel", async () => { await send("POST", `/${PATHS[job.kind]}/${job.job_id}/cancel`); await done(); },
          { class: "quiet", "aria-label": `Cancel ${job.kind} of ${job.space}` }) : null),
    hasEnded(job) ? h("p", { class: "failure" }, job.message) : progressBar(job))));
  return more > 0 ? [...items, h("li", {}, h("a", { href: "/" }, `and ${more} more`))] : items;
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
