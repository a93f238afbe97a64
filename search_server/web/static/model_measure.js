// Measure a model: devices and conditions in a form, as `edgenas model measure` takes them, and the jobs that it started.

import { act, actButton, ApiError, list, mayChange, send } from "./api.js";
import { conditionField, conditionFields, conditionsOf } from "./condition_fields.js";
import { byId, fill, h, refill } from "./dom.js";
import { clearErrors, namedField, showAt, showErrors } from "./field_errors.js";
import { conditions, milliseconds } from "./format.js";
import { inputField, inputFields, shapesOf } from "./input_fields.js";
import { hasEnded, progressBar, statusBadge } from "./job.js";

/** Show the form; `done` is called when jobs were queued. */
export async function showForm(model, done) {
  const devices = (await list("/devices")).filter(({ is_imported: isImported }) => !isImported);
  if (!devices.length) {
    fill(byId("measure-form"), h("p", {}, "No device has an agent yet: ", h("a", { href: "/devices" }, "add one"), ", then measure the model on it."));
    return;
  }
  const { runtimes, dtypes } = byId("measure").dataset;
  const able = JSON.parse(runtimes)[model.format];
  const offered = devices.flatMap(({ device }) => device.runtimes).filter(({ name }) => able.includes(name)).flatMap(({ accelerators }) => accelerators);
  const button = h("button", { type: "submit" }, "Start measuring");
  const form = h("form", { autocomplete: "off", novalidate: true },
    h("fieldset", { class: "field", id: "devices" }, h("legend", {}, "Devices"), devices.map((each, index) => deviceBox(each, able, index === 0 && devices.length === 1))),
    conditionFields({
      runtimes: able, dtypes: dtypes.split(" "), dtype: model.facts.dtype, dtypeHint: `The file computes in ${model.facts.dtype}.`,
      accelerators: [...new Set(offered)],
    }, [h("label", { class: "tick-box" }, h("input", { type: "checkbox", name: "private" }), " Only I and administrators find it")]),
    inputFields(model),
    h("label", { class: "tick-box" }, h("input", { type: "checkbox", name: "accept_noise" }), " Take the devices as they are, noise and all"),
    h("p", { class: "row" }, button));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(button, () => submit(form, model, done));
  });
  fill(byId("measure-form"), form);
}

function deviceBox({ device_id: id, name, device, is_online: isOnline }, able, isChosen) {
  const own = device.runtimes.filter((runtime) => able.includes(runtime.name)).map((runtime) => `${runtime.name} ${runtime.version}`);
  return h("div", { class: "field" }, h("label", { class: "tick-box" }, h("input", { type: "checkbox", name: "device", value: id, checked: isChosen }),
    h("span", {}, `${name}, ${device.cpu_model ?? device.machine} `, h("small", { class: "hint" }, `${own.join(", ") || `no ${able.join(" or ")}`}${isOnline ? "" : "; offline: it begins when the device is back"}`))));
}

async function submit(form, model, done) {
  clearErrors(form);
  const values = new FormData(form);
  const boxes = [...form.querySelectorAll("[name=device]")], chosen = boxes.filter(({ checked }) => checked);
  const request = { conditions: conditionsOf(values), inputs: shapesOf(form, model), accept_noise: values.has("accept_noise"), private: values.has("private") };
  if (!chosen.length) showAt(boxes[0], "Choose a device.");
  const refused = form.querySelector("[aria-invalid]") ? null : await Promise.all(chosen.map((box) => askOne(form, model, box, request)));
  form.querySelector("[aria-invalid]")?.focus();
  if (refused === null) throw new ApiError(422, { detail: "Not started: see what stands at the fields." });
  const numRefused = refused.filter(Boolean).length;
  if (numRefused < chosen.length) await done();
  if (numRefused) throw new ApiError(422, { detail: `${numRefused} of ${chosen.length} devices were refused: see what stands at the fields.` });
}

/** Queue the measurement on one device; return whether it was refused, in words at a field or at the device. */
async function askOne(form, model, box, request) {
  try {
    const { job } = await send("POST", `/models/${model.model_id}/measurements`, { ...request, device: box.value });
    watched.add(job.job_id);
    return false;
  } catch (error) {
    const words = showErrors(error, (fault) => conditionField(form, error) ?? inputField(form, fault) ?? namedField(form, fault));
    if (words) showAt(box, words);
    return true;
  }
}

const watched = new Set(); // jobs that were seen at work on this page: their end is told as well

/** Show the jobs that are at work, and how those ended that were; return whether any is at work. */
export async function showWatched(measurements, done) {
  for (const { job } of measurements) if (!hasEnded(job)) watched.add(job.job_id);
  const works = measurements.filter(({ job }) => watched.has(job.job_id));
  const items = await Promise.all(works.map((each) => watchedItem(each, done)));
  refill(byId("watched"), works.map(({ job }) => job), () => items);
  return works.some(({ job }) => !hasEnded(job));
}

async function watchedItem({ job, latency, model_id: id }, done) {
  const cancel = hasEnded(job) || !(await mayChange(job.owner)) ? null : actButton("Cancel", async () => {
    await send("POST", `/models/${id}/measurements/${job.job_id}/cancel`);
    await done();
  }, { class: "quiet", "aria-label": `Cancel measuring on ${job.device_name}` });
  return h("li", {}, h("div", { class: "row" }, h("strong", {}, job.device_name), h("span", { class: "hint" }, conditions(job.conditions)), statusBadge(job), cancel),
    hasEnded(job) ? null : progressBar(job),
    latency ? h("p", {}, h("a", { href: `?job=${job.job_id}` }, `${milliseconds(latency.latency_us)} ms`), " for the whole; its nodes are above.") : null,
    job.status === "failed" ? h("p", { class: "failure" }, job.message) : null);
}
