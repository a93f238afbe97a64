// Submit a search: a form that the server checks as it checks every request; '?from=' fills it from an older one.

import { act, ApiError, get, run, send } from "./api.js";
import { byId, enable, h } from "./dom.js";
import { clearErrors, namedField, showErrors } from "./field_errors.js";
import { milliseconds } from "./format.js";
import { jobName } from "./job.js";
import { addTarget, fillTargets, targetField, targetsOfForm } from "./search_targets.js";

const form = byId("search");
const optionFields = [...form.querySelectorAll("[data-kind]")];

/** The request that the form stands for; options that are left empty are not in it. */
function requestOf() {
  const values = new FormData(form);
  const options = {};
  for (const { name, dataset } of optionFields) {
    const text = values.get(name).trim();
    if (text === "") continue;
    const number = Number(text.replace(/[kKM]$/, "")) * ({ k: 1e3, K: 1e3, M: 1e6 }[text.at(-1)] ?? 1);
    options[name] = ["yes", "no"].includes(text) ? text === "yes" : dataset.kind === "int" || dataset.kind === "float"
      ? (Number.isNaN(number) ? text : number) : text;
  }
  const [first, ...also] = targetsOfForm();
  return {
    name: values.get("name").trim(), space: values.get("space").trim(), data: values.get("data").trim(),
    private: values.has("private"), ...options, ...first, also,
  };
}

/** Preset values stand where nothing was written. */
function showPreset() {
  const preset = form.elements.preset.value || form.elements.preset.dataset.default;
  for (const field of optionFields) {
    const value = JSON.parse(field.dataset.presets)[preset] ?? field.dataset.default;
    if (field.tagName === "SELECT") field.options[0].text = value;
    else field.placeholder = value;
  }
}

/** The field that an error is about. */
function fieldOf(fault) {
  const isTarget = fault.message.startsWith("loss 'budget' needs target_ms");
  return targetField(isTarget ? ["target_ms"] : fault.path.split(".")) ?? namedField(form, fault);
}

let checks = 0;

/** Ask the server what the search would do, whenever the form has changed and names a device, space and data. */
async function check() {
  const request = requestOf();
  const number = checks += 1;
  if (!request.space || !request.data || !request.device) return;
  try {
    const plan = await send("POST", "/searches/dry-run", request);
    if (number !== checks) return; // a newer check is on its way
    clearErrors(form);
    byId("plan").textContent = `Ready: networks of ${plan.request.space} take ${milliseconds(plan.fastest_us)} to ${milliseconds(plan.slowest_us)} ms by table ${plan.snapshot}.`;
  } catch (error) {
    if (number !== checks) return;
    clearErrors(form);
    byId("plan").textContent = showErrors(error, fieldOf) || "Not ready: see what stands at the fields.";
  }
}

async function submit(button) {
  const request = requestOf();
  checks += 1;
  await act(button, async () => {
    clearErrors(form);
    if (!request.device) throw new ApiError(422, { detail: "Choose a device that has a latency table of this space." });
    try {
      const { job } = await send("POST", "/searches", request);
      location.assign(`/searches/${job.job_id}`);
    } catch (error) {
      const words = showErrors(error, fieldOf);
      form.querySelector("[aria-invalid]")?.focus();
      throw new ApiError(error.status, { detail: words || "Not submitted: see what stands at the fields." });
    }
  });
}

/** Take over what an older search was asked. */
async function fillFrom(jobId) {
  const { job, request } = await get(`/searches/${encodeURIComponent(jobId)}`);
  byId("origin").replaceChildren("as ", h("a", { href: `/searches/${job.job_id}` }, jobName(job)));
  for (const name of ["space", "data"]) form.elements[name].value = request[name];
  form.elements.private.checked = request.private;
  form.elements.preset.value = request.preset;
  showPreset();
  for (const field of optionFields) {
    const value = request[field.name];
    const shown = typeof value === "boolean" ? (value ? "yes" : "no") : value === null ? "none" : String(value);
    const usual = field.tagName === "SELECT" ? field.options[0].text : field.placeholder;
    const isUsual = shown === usual || (Number(shown) === Number(usual) && usual !== "");
    if (field.name !== "preset" && !isUsual) field.value = shown;
    if (field.value && field.closest("details")) field.closest("details").open = true;
  }
  const { device, target_ms, conditions } = request;
  await fillTargets([{ device, target_ms, conditions }, ...request.also.map((other) => ({ ...other, conditions: other.conditions ?? conditions }))]);
}

await run(async () => {
  const dataSets = await get("/data");
  byId("data-sets").replaceChildren(...dataSets.filter(({ is_available: isThere }) => isThere).map(({ name }) => h("option", { value: name })));
  byId("data-hint").textContent = `${dataSets.filter(({ is_available: isThere }) => isThere).map(({ name }) => name).join(", ")}, or a folder on the server.`;
  showPreset();
  const from = new URLSearchParams(location.search).get("from");
  if (from) await fillFrom(from);
  else {
    form.elements.space.value = byId("spaces").options[0].value;
    form.elements.data.value = dataSets[0].name;
    await fillTargets([]);
  }
  form.elements.preset.addEventListener("change", showPreset);
  form.elements.space.addEventListener("change", async () => {
    await fillTargets(null);
    await check();
  });
  byId("add-target").addEventListener("click", () => addTarget());
  form.addEventListener("change", check);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(event.submitter);
  });
  enable(form);
  await check();
});
