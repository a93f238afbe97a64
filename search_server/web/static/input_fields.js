// The shapes of a model's inputs that leave sizes open, as fields of a form, and what was filled in.

import { field, h } from "./dom.js";
import { showAt } from "./field_errors.js";

const openInputs = ({ facts }) => facts.inputs.filter(({ shape }) => shape.includes(null));

/** Return a field for each input that leaves sizes open. */
export function inputFields(model) {
  const open = openInputs(model);
  if (!open.length) return [];
  return [h("div", { class: "fields wide" }, open.map(({ name, shape }) => field(`Shape of ${name}`, h("input", {
    name: `input ${name}`, spellcheck: "false", placeholder: shape.map((size) => size ?? 1).join("x"),
  }), `${shape.map((size) => size ?? "?").join("x")}, where ? is open; empty: 1, the first one the batch.`)))];
}

/** Return the shapes that were asked for; what does not look like 1x3x224x224 is said at its field. */
export function shapesOf(form, model) {
  return openInputs(model).flatMap(({ name }) => {
    const asked = form.elements[`input ${name}`], text = asked.value.trim();
    if (!text) return [];
    if (!/^\d+(x\d+)*$/.test(text)) {
      showAt(asked, `A shape looks like 1x3x224x224, not ${text}.`);
      return [];
    }
    return [{ name, shape: text.split("x").map(Number) }];
  });
}

/** Return the field of the input that a fault is about. */
export function inputField(form, { path, message }) {
  if (!path.includes("inputs")) return null;
  return [...form.querySelectorAll("[name^='input ']")].find(({ name }) => message.startsWith(`${name} `)) ?? null;
}
