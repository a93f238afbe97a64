// All models that people brought, as a list, and a form that takes one more file.

import { act, ApiError, list, run } from "./api.js";
import { byId, enable, fill, h, when } from "./dom.js";
import { clearErrors, namedField, showAt, showErrors } from "./field_errors.js";
import { ago, count } from "./format.js";
import { makeList } from "./list_view.js";
import { addModel, formatOf, suggestedName } from "./model_upload.js";

const COLUMNS = [
  { title: "Name" }, { title: "Format", choice: true }, { title: "Numbers", choice: true }, { title: "Nodes", number: true },
  { title: "Parameters", number: true }, { title: "Bytes", number: true }, { title: "Owner", choice: true }, { title: "Added" },
];

const form = byId("add").querySelector("form"), { file: fileField, name: nameField } = form.elements;
const limits = { formats: form.dataset.formats.split(" "), maxBytes: Number(form.dataset.maxBytes) };
const FIELD_OF_REFUSAL = { name_taken: nameField, refused_model: fileField, wrong_hash: fileField, too_large: fileField };
let modelList = null;

function row(model) {
  const { facts, name } = model;
  return {
    key: JSON.stringify([model, ago(model.created_at)]),
    values: [`${name} ${model.model_id} ${model.sha256}`, model.format, facts.dtype, facts.num_nodes, facts.num_params, model.size_bytes, model.owner, model.created_at],
    cells: () => [
      h("a", { href: `/models/${encodeURIComponent(name)}` }, name), h("span", { title: facts.version }, model.format), facts.dtype,
      count(facts.num_nodes), count(facts.num_params), count(model.size_bytes), model.owner, when(model.created_at),
    ],
  };
}

async function show() {
  const models = await list("/models");
  byId("summary").textContent = models.length ? `${models.length} files, newest first` : "";
  byId("compare-link").hidden = models.length === 0;
  if (!models.length) {
    fill(byId("models"), h("p", { class: "card" }, "No model yet. Choose a file above: once it is added, it can be measured on every device."));
    return;
  }
  if (!modelList) {
    const card = h("div", { class: "card" });
    fill(byId("models"), card);
    modelList = makeList(card, COLUMNS, "Filter models");
  }
  modelList.show(models.map(row));
}

/** Each step of an upload with what is known of it. */
function showStep(step, share, words) {
  const item = byId(`step-${step}`) ?? h("li", { id: `step-${step}` });
  item.className = share === 1 ? "done" : "";
  fill(item, words, share > 0 && share < 1 ? h("progress", { max: 1, value: share, "aria-label": words }) : null);
  if (!item.isConnected) byId("checks").append(item);
}

/** What can be said before anything is sent; the same rules as those of `edgenas model add`. */
function faultOf(file) {
  if (!file) return "Choose a file.";
  const endings = limits.formats.map((format) => `.${format}`).join(" or ");
  if (!formatOf(file, limits.formats)) return `The name of ${file.name} must end with ${endings}. Export the model as one of these.`;
  if (file.size < 1 || file.size > limits.maxBytes) return `${file.name} has ${count(file.size)} bytes; a model file has 1 to ${count(limits.maxBytes)}.`;
  return null;
}

async function submit(button) {
  clearErrors(form);
  byId("checks").replaceChildren();
  byId("added").replaceChildren();
  const [file] = fileField.files, fault = faultOf(file);
  if (fault) {
    showAt(fileField, fault);
    fileField.focus();
    return;
  }
  await act(button, async () => {
    try {
      const model = await addModel(file, nameField.value.trim(), formatOf(file, limits.formats), Number(form.dataset.partBytes), showStep);
      const link = h("a", { class: "button strong", href: `/models/${encodeURIComponent(model.name)}#measure` }, `Measure ${model.name} on a device`);
      fill(byId("added"), link);
      link.focus();
      form.reset();
      await show();
    } catch (error) {
      const isCutOff = error.status === 0;
      const words = showErrors(error, (problem) => namedField(form, problem) ?? FIELD_OF_REFUSAL[error.type] ?? null);
      form.querySelector("[aria-invalid]")?.focus();
      throw new ApiError(error.status, { detail: isCutOff ? `${words} Press again: what was sent is kept for a day.` : words || "Not added: see what stands at the field." });
    }
  });
}

fileField.addEventListener("change", () => {
  if (fileField.files.length && (!nameField.value || nameField.value === nameField.dataset.suggested)) {
    nameField.value = nameField.dataset.suggested = suggestedName(fileField.files[0]);
  }
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit(event.submitter);
});
enable(form);
await run(show);
