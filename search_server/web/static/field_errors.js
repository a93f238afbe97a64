// What the server refuses, in words at the field of a form that it is about.

import { ApiError } from "./api.js";
import { h } from "./dom.js";

let numErrors = 0;

/** Take the words of an earlier try away. */
export function clearErrors(form) {
  for (const words of form.querySelectorAll(".field-error")) words.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.setAttribute("aria-describedby", field.getAttribute("aria-describedby").replace(/ ?error-\d+/g, ""));
  }
}

/** Show words at a field, and unfold what it is in. */
export function showAt(field, message) {
  const place = field.closest(".field");
  if ([...place.querySelectorAll(".field-error")].some(({ textContent }) => textContent === message)) return;
  const words = h("small", { class: "failure field-error", id: `error-${numErrors += 1}` }, message);
  field.ariaInvalid = "true";
  field.setAttribute("aria-describedby", `${field.getAttribute("aria-describedby") ?? ""} ${words.id}`.trim());
  place.append(words);
  const folded = field.closest("details");
  if (folded) folded.open = true;
}

/** Show each error at the field that `fieldOf` tells; the sentences of those that have none are returned. */
export function showErrors(error, fieldOf) {
  if (!(error instanceof ApiError)) throw error;
  const faults = error.errors.length ? error.errors : [{ path: "", message: error.message }];
  const homeless = [];
  for (const fault of faults) {
    const field = fieldOf(fault);
    if (field) showAt(field, fault.message);
    else homeless.push(fault.message);
  }
  return homeless.join("; ");
}

/** Return the field of a form that a fault names: by a part of its path, else by the first word of its sentence. */
export function namedField(form, { path, message }) {
  const name = [message.split(" ")[0], ...path.split(".")].findLast((word) => form.elements[word] instanceof HTMLElement);
  return name ? form.elements[name] : null;
}
