// What a person does with a search: cancel, resume, rename, use its request again, retarget, compare.

import { act, actButton, attempt, list, mayChange, send } from "./api.js";
import { byId, choice, field, h, refill } from "./dom.js";
import { milliseconds } from "./format.js";
import { hasEnded, jobName } from "./job.js";

/** Show the buttons that a search in this state has; `changed` is called with what an answer tells. */
export async function showActions(search, changed) {
  const { job, request } = search;
  const isMine = await mayChange(job.owner);
  const path = `/searches/${job.job_id}`;
  const step = (verb) => async () => changed(await send("POST", `${path}/${verb}`));
  refill(byId("actions"), [job.status, isMine], () => [
    isMine && !hasEnded(job) ? actButton("Cancel", step("cancel"), { class: "quiet" }) : null,
    isMine && ["failed", "cancelled"].includes(job.status) ? actButton("Resume", step("resume")) : null,
    request.origin === null ? h("a", { class: "button", href: `/searches/new?from=${job.job_id}` }, "Use again…") : null,
  ]);
  refill(byId("more"), [job.status, isMine], () => [
    isMine ? renameForm(search, changed) : null,
    job.status === "done" && request.points === null ? [retargetForm(job), frontForm(job)] : null,
    compareForm(job),
  ].flat());
}

function formIn(title, action, fields, submit) {
  const button = h("button", { type: "submit" }, action);
  const details = h("details", { class: "form" }, h("summary", {}, title), h("form", {
    novalidate: true, // the server says what is wrong
    onsubmit: (event) => {
      event.preventDefault();
      act(button, async () => {
        await submit(new FormData(event.target));
        details.open = false;
        details.querySelector("summary").focus();
      });
    },
  }, fields, h("p", { class: "row" }, button)));
  return details;
}

function renameForm(search, changed) {
  return formIn("Name and note…", "Save", [
    field("Name", h("input", { name: "name", value: search.job.name, maxlength: 100 }), "Commands take it in place of the id."),
    field("Note", h("textarea", { name: "note", rows: 3, maxlength: 10000 }, search.job.note)),
  ], async (values) => {
    const job = await send("PATCH", `/jobs/${search.job.job_id}`, { name: values.get("name").trim(), note: values.get("note") });
    changed({ ...search, job });
  });
}

const TRAINING = [["none", "not at all"], ["inherit", "from the supernet's weights"], ["scratch", "from scratch"]];
const trainingField = () => field("Train what is decoded", choice(TRAINING, "none", { name: "training" }), "Only a trained network is exported.");

/** Return the newest table that can be searched with of each device that has one of this space: {device_id: table}. */
async function tablesByDevice({ space }) {
  const found = new Map();
  for (const table of await list(`/latency-tables?space=${encodeURIComponent(space)}`)) {
    const isUsable = table.fastest_us !== null && table.verdict?.is_accepted !== false && table.drift?.outcome !== "stale";
    if (isUsable && !found.has(table.device_id)) found.set(table.device_id, table);
  }
  return found;
}

/** Call a step when a form is unfolded for the first time. */
function onceOpen(form, step) {
  let isDue = true;
  form.addEventListener("toggle", () => {
    if (!isDue) return;
    isDue = false; // it unfolds first
    attempt(step);
  });
  return form;
}

/** Decode another network from what the search has learnt; devices are those with a table of its space. */
function retargetForm(job) {
  const device = choice([[job.device_id, job.device_name]], job.device_id, { name: "device", required: true });
  const target = h("input", { name: "target", type: "number", step: "any", min: 0, required: true });
  const range = h("small", { class: "hint" }), others = h("small", { class: "hint" });
  let tables = new Map();
  const showRange = () => {
    const table = tables.get(device.value);
    range.textContent = table ? `networks take ${milliseconds(table.fastest_us)} to ${milliseconds(table.slowest_us)} ms` : "";
  };
  device.addEventListener("change", showRange);
  const form = formIn("Retarget…", "Decode a network", [
    h("div", {}, field("Device", device), others), h("div", {}, field("Target, ms", target), range), trainingField(),
  ], async (values) => {
    const made = await send("POST", `/searches/${job.job_id}/retarget`, {
      target_ms: Number(values.get("target")), device: values.get("device"), training: values.get("training"),
    });
    location.assign(`/searches/${made.job.job_id}`);
  });
  return onceOpen(form, async () => {
    tables = await tablesByDevice(job);
    const further = [...tables].filter(([id]) => id !== job.device_id);
    device.append(...further.map(([id, table]) => h("option", { value: id }, table.device_name)));
    others.textContent = further.length ? "" : `No other device has a latency table of ${job.space}: profile it there first.`;
    showRange();
  });
}

/** Decode a network for each of several targets, on each device. */
function frontForm(job) {
  const devices = h("fieldset", { class: "field" }, h("legend", {}, "Devices; none chosen: all that have a table"));
  const form = formIn("Front…", "Decode a front", [
    devices, field("Targets on each device", h("input", { name: "points", type: "number", min: 2, max: 12, value: 8, required: true })), trainingField(),
  ], async (values) => {
    const made = await send("POST", `/searches/${job.job_id}/front`, {
      devices: values.getAll("device"), points: Number(values.get("points")), training: values.get("training"),
    });
    location.assign(`/searches/${made.job.job_id}`);
  });
  return onceOpen(form, async () => {
    const boxes = [...await tablesByDevice(job)].map(([id, table]) =>
      h("label", { class: "tick-box" }, h("input", { type: "checkbox", name: "device", value: id }), ` ${table.device_name}`));
    devices.append(...(boxes.length ? boxes : [h("small", { class: "hint" }, `No device has a latency table of ${job.space}: profile one first.`)]));
  });
}

function compareForm(job) {
  const other = h("select", { name: "other", required: true });
  const form = formIn("Compare…", "Compare", [field("With", other)], async (values) => {
    location.assign(`/compare?a=${job.job_id}&b=${values.get("other")}`);
  });
  return onceOpen(form, async () => {
    const searches = (await list("/searches")).filter(({ job: one }) => one.job_id !== job.job_id);
    other.append(...searches.map(({ job: one }) => h("option", { value: one.job_id }, `${jobName(one)} (${one.device_name}, ${one.space})`)));
    if (!searches.length) other.append(h("option", { value: "" }, "there is no other search: press Use again… for one"));
  });
}
