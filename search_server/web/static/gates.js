// Gates: whether a new model is slower than an old one on a device; a form that asks, and all answers.

import { act, actButton, ApiError, list, mayChange, repeat, run, send } from "./api.js";
import { conditionField, conditionFields, conditionsOf } from "./condition_fields.js";
import { badge, byId, choice, field, fill, h, when } from "./dom.js";
import { clearErrors, namedField, showErrors } from "./field_errors.js";
import { ago, conditions, milliseconds, signed } from "./format.js";
import { inputField, inputFields, shapesOf } from "./input_fields.js";
import { hasEnded, progressBar, statusBadge } from "./job.js";
import { makeList } from "./list_view.js";

const COLUMNS = [
  { title: "New" }, { title: "Old" }, { title: "Device", choice: true }, { title: "Allowed", number: true }, { title: "Verdict", choice: true },
  { title: "New over old", number: true }, { title: "With 95 % confidence" }, { title: "Conditions" }, { title: "Asked" },
];
const VERDICTS = { passed: "good", slower: "bad", undecided: "off" };
let gateList = null;

/** The verdict, else how far the gate is. */
function outcome({ job, verdict }, cancel) {
  if (verdict) return badge(VERDICTS[verdict.outcome], verdict.outcome);
  return h("div", {}, statusBadge(job), hasEnded(job) ? h("div", { class: "hint" }, job.message) : progressBar(job), cancel);
}

function row(gate, isMine) {
  const { job, verdict, fail_above: allowed } = gate;
  const cancel = () => (hasEnded(job) || !isMine ? null : actButton("Cancel", async () => {
    await send("POST", `/gates/${job.job_id}/cancel`);
    await show();
  }, { class: "quiet", "aria-label": `Cancel the gate of ${gate.new}` }));
  return {
    key: JSON.stringify([gate, ago(job.created_at)]),
    values: [`${gate.new} ${job.job_id}`, gate.old, job.device_name, allowed, verdict?.outcome ?? job.status, verdict ? verdict.ratio : null,
      verdict ? verdict.low : null, conditions(job.conditions), job.created_at],
    cells: () => [
      gate.new, gate.old, job.device_name, signed(allowed), outcome(gate, cancel()), verdict ? signed(verdict.ratio - 1) : null,
      verdict ? h("span", { title: verdict.window_ratios.map((ratio) => signed(ratio - 1)).join(", ") },
        `above ${signed(verdict.low - 1)} and below ${signed(verdict.high - 1)}, ${verdict.window_ratios.length} windows; ${
          milliseconds(verdict.new_us)} against ${milliseconds(verdict.old_us)} ms${verdict.note ? `; ${verdict.note}` : ""}`) : null,
      conditions(job.conditions), when(job.created_at),
    ],
  };
}

async function show() {
  const gates = await list("/gates");
  if (!gates.length) {
    fill(byId("gates"), h("p", { class: "card" }, "No gate yet. Choose two models above, the new one and the one that it must not be slower than."));
    return;
  }
  if (!gateList) {
    const card = h("div", { class: "card" });
    fill(byId("gates"), card);
    gateList = makeList(card, COLUMNS, "Filter gates");
  }
  const mine = await Promise.all(gates.map(({ job }) => mayChange(job.owner)));
  gateList.show(gates.map((gate, index) => row(gate, mine[index])));
}

async function showForm() {
  const [models, devices] = await Promise.all([list("/models"), list("/devices")]);
  const able = devices.filter(({ is_imported: isImported }) => !isImported);
  if (models.length < 2 || !able.length) {
    fill(byId("gate-form"), h("p", {}, "A gate needs two models and a device: ",
      models.length < 2 ? h("a", { href: "/models" }, "add models") : h("a", { href: "/devices" }, "add a device"), "."));
    return;
  }
  const { runtimes, dtypes } = byId("ask").dataset, byFormat = JSON.parse(runtimes);
  const names = models.map(({ name }) => name), button = h("button", { type: "submit" }, "Start the gate"), shapes = h("div", {});
  const form = h("form", { autocomplete: "off", novalidate: true },
    h("div", { class: "fields wide" }, field("New model", choice(names, names[0], { name: "new" })), field("Old model", choice(names, names[1], { name: "old" })),
      field("Device", choice(able.map(({ device_id: id, name }) => [id, name]), null, { name: "device" })),
      field("How much slower the new one may be, %", h("input", { name: "fail_above", type: "number", min: 0, step: "any", value: 2, required: true }))),
    conditionFields({ runtimes: Object.values(byFormat).flat(), dtypes: dtypes.split(" ") }, [
      h("label", { class: "tick-box" }, h("input", { type: "checkbox", name: "private" }), " Only I and administrators find it")]),
    shapes, h("label", { class: "tick-box" }, h("input", { type: "checkbox", name: "accept_noise" }), " Take the device as it is, noise and all"),
    h("p", { class: "row" }, button));
  const { new: newModel, runtime, dtype } = form.elements;
  const chosen = () => models.find(({ name }) => name === newModel.value);
  const fit = () => { // a file is measured as it is
    [runtime.value, dtype.value] = [byFormat[chosen().format][0], chosen().facts.dtype];
    fill(shapes, inputFields(chosen()));
  };
  newModel.addEventListener("change", fit);
  fit();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(button, () => submit(form, chosen()));
  });
  fill(byId("gate-form"), form);
}

async function submit(form, newModel) {
  clearErrors(form);
  const values = new FormData(form), inputs = shapesOf(form, newModel);
  if (form.querySelector("[aria-invalid]")) throw new ApiError(422, { detail: "Not started: see what stands at the field." });
  try {
    await send("POST", "/gates", {
      inputs,
      device: values.get("device"), new: values.get("new"), old: values.get("old"), fail_above: Number(values.get("fail_above")) / 100,
      conditions: conditionsOf(values), accept_noise: values.has("accept_noise"), private: values.has("private"),
    });
  } catch (error) {
    const words = showErrors(error, (fault) => conditionField(form, error) ?? inputField(form, fault) ?? namedField(form, fault));
    form.querySelector("[aria-invalid]")?.focus();
    throw new ApiError(error.status, { detail: words || "Not started: see what stands at the field." });
  }
  await show();
}

await run(async () => {
  await showForm();
  await show();
});
repeat(show, 5000);
