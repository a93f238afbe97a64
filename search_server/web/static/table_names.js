// What people call a latency table: "pixel · fbnet-224 · onnxruntime fp32"; to programs its hash names it.

import { badge, h } from "./dom.js";

const MOST_LETTERS = 32; // a space of one's own may be written out, which is no name

/** Return the name of a space as it fits a line. */
export function shortSpace(space) {
  return space.length > MOST_LETTERS ? `${space.slice(0, MOST_LETTERS - 1)}…` : space;
}

/** Return a table's name without its device; conditions at their defaults are left out. */
export function spaceName({ space, conditions: of }) {
  const rest = [
    of.accelerator && `on ${of.accelerator}`, of.threads > 1 && `${of.threads} threads`, of.batch > 1 && `batch ${of.batch}`,
    of.cores.length > 0 && `cores ${of.cores.join(",")}`, of.thermal !== "cold" && of.thermal,
  ].filter(Boolean).map((words) => `, ${words}`).join("");
  return `${shortSpace(space)} · ${of.runtime} ${of.dtype}${rest}`;
}

/** Return what people call a table. */
export function tableName(summary) {
  return `${summary.device_name} · ${spaceName(summary)}`;
}

/** Return a table's name as a link, its hash second. */
export function tableLink(summary) {
  return h("a", { href: `/tables/${summary.snapshot}` }, tableName(summary), " ", h("small", { class: "hint id" }, summary.snapshot));
}

/** Return where a table's numbers come from; simulated ones always say so. */
export function originBadge(summary) {
  if (summary.is_simulated) return badge("simulated", "simulated");
  return summary.source === "measured" ? badge("measured", "measured") : badge("imported", `imported: ${summary.source}`);
}

/** Return whether a table can be measured again: a device with an agent made it. */
export function isMeasurable(summary) {
  return summary.source === "measured";
}

/** Return the conditions of a table as a request takes them: the device's own version of the runtime. */
export function askedConditions(summary) {
  return { ...summary.conditions, runtime_version: null };
}
