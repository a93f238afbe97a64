// What a person does with a search: cancel, resume, rename, use its request again, retarget, compare.

import { act, actButton, list, mayChange, send } from "./api.js";
import { byId, choice, field, h, refill } from "./dom.js";
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
    job.status === "done" && request.points === null ? retargetForm(job) : null,
    compareForm(job),
  ]);
}

function formIn(title, action, fields, submit) {
  const button = h("button", { type: "submit" }, action);
  const details = h("details", { class: "form" }, h("summary", {}, title), h("form", {
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

/** Decode another network from what the search has learnt; devices are those with a table of its space. */
function retargetForm(job) {
  const device = choice([[job.device_id, job.device_name]], job.device_id, { name: "device", required: true });
  const target = h("input", { name: "target", type: "number", step: "any", min: 0, required: true });
  const range = h("small", { class: "hint" });
  const ranges = new Map();
  const showRange = () => { range.textContent = ranges.get(device.value) ?? ""; };
  device.addEventListener("change", showRange);
  const form = formIn("Retarget…", "Decode a network", [
    field("Device", device), h("div", {}, field("Target, ms", target), range),
    field("Train it", choice([["none", "not at all"], ["inherit", "from the supernet's weights"], ["scratch", "from scratch"]], "none", { name: "training" })),
  ], async (values) => {
    const made = await send("POST", `/searches/${job.job_id}/retarget`, {
      target_ms: Number(values.get("target")), device: values.get("device"), training: values.get("training"),
    });
    location.assign(`/searches/${made.job.job_id}`);
  });
  form.addEventListener("toggle", async () => {
    if (!form.open || ranges.size) return;
    for (const table of await list(`/latency-tables?space=${encodeURIComponent(job.space)}`)) {
      if (table.fastest_us === null || ranges.has(table.device_id)) continue;
      ranges.set(table.device_id, `networks take ${(table.fastest_us / 1000).toPrecision(3)} to ${(table.slowest_us / 1000).toPrecision(3)} ms`);
      if (table.device_id !== job.device_id) device.append(h("option", { value: table.device_id }, table.device_name));
    }
    showRange();
  });
  return form;
}

function compareForm(job) {
  const other = h("select", { name: "other", required: true });
  const form = formIn("Compare…", "Compare", [field("With", other)], async (values) => {
    location.assign(`/compare?a=${job.job_id}&b=${values.get("other")}`);
  });
  form.addEventListener("toggle", async () => {
    if (!form.open || other.options.length) return;
    const searches = (await list("/searches")).filter(({ job: one }) => one.job_id !== job.job_id);
    other.append(...searches.map(({ job: one }) => h("option", { value: one.job_id }, `${jobName(one)} (${one.device_name}, ${one.space})`)));
    if (!searches.length) other.append(h("option", { value: "" }, "there is no other search"));
  });
  return form;
}
