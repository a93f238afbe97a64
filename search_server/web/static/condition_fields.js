// The conditions of a measurement as fields of a form, and what was filled in.

import { choice, field, h } from "./dom.js";

/**
 * Return the fields: the usual ones, and the others folded with `more` behind them. `runtimes` and `dtypes` are
 * what can be chosen, `accelerators` what devices offer.
 */
export function conditionFields({ runtimes, dtypes, dtype = "fp32", dtypeHint = null, maxThreads = 256, accelerators = [] }, more = []) {
  const known = h("datalist", { id: `accelerators-${++numLists}` }, accelerators.map((name) => h("option", { value: name })));
  return [
    h("div", { class: "fields" },
      field("Runtime", choice(runtimes, null, { name: "runtime" })),
      field("Numbers", choice(dtypes, dtype, { name: "dtype" }), dtypeHint),
      field("Threads", h("input", { name: "threads", type: "number", min: 1, max: maxThreads, value: 1, required: true }))),
    h("details", {}, h("summary", {}, "More conditions"), h("div", { class: "fields wide" },
      field("Batch", h("input", { name: "batch", type: "number", min: 1, max: 1024, value: 1, required: true }), "Images a run."),
      field("Cores", h("input", { name: "cores", spellcheck: "false", autocomplete: "off" }), "Such as 4,5; empty: the system chooses."),
      field("Heat", choice([["cold", "cold: with pauses"], ["sustained", "sustained: under load"]], "cold", { name: "thermal" })),
      field("Accelerator", h("input", { name: "accelerator", list: known.id, spellcheck: "false", autocomplete: "off" }),
        accelerators.length ? `One of ${accelerators.join(", ")}; empty: the runtime's usual one.` : "Empty: the runtime's usual one."),
      more), known),
  ];
}

let numLists = 0;

/** Return the conditions that a form asks for; cores that are no numbers are sent as they are, and refused in words. */
export function conditionsOf(values) {
  const cores = values.get("cores").split(",").map((core) => core.trim()).filter(Boolean);
  return {
    runtime: values.get("runtime"), dtype: values.get("dtype"), threads: Number(values.get("threads")),
    batch: Number(values.get("batch")), cores: cores.map((core) => (/^\d+$/.test(core) ? Number(core) : core)),
    thermal: values.get("thermal"), accelerator: values.get("accelerator").trim(),
  };
}

const FIELD_OF_REFUSAL = {
  unsupported_runtime: "runtime", unsupported_dtype: "dtype", unsupported_batch: "batch",
  unsupported_accelerator: "accelerator", unsupported_cores: "threads",
};

/** Return the field that a refusal of these conditions is about; null: the refusal is of another kind. */
export function conditionField(form, { type }) {
  return FIELD_OF_REFUSAL[type] ? form.elements[FIELD_OF_REFUSAL[type]] : null;
}
