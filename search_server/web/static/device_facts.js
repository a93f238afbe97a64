// What a device is and how it is, in the words of its card.

import { h } from "./dom.js";
import { gibibytes } from "./format.js";

/** Return whether all that a device would measure is made up. */
export function isSimulatedDevice({ is_imported: isImported, device }) {
  return !isImported && device.runtimes.length > 0 && device.runtimes.every(({ name }) => name === "simulated");
}

/** Return names and values of what is known of a device. */
export function deviceRows(resource) {
  const { device: fixed, environment: moment } = resource;
  const runtimes = fixed.runtimes.map(({ name, version, accelerators }) => h("span", { class: "chip" },
    `${name} ${version}${accelerators.length > 1 ? ` (${accelerators.join(", ")})` : ""}`));
  const rows = [
    ["Processor", `${fixed.cpu_model ?? fixed.machine}, ${cores(fixed)}${clocks(fixed.core_max_khz)}`],
    ["Memory", gibibytes(fixed.memory_bytes)],
    ["System", `${fixed.system}, ${fixed.machine}`],
    ["Now", now(moment)],
    ["Runtimes", runtimes.length ? h("span", { class: "chips" }, runtimes) : "none"],
    ["Agent", `${fixed.agent_version || "unknown"}${upgrade(resource)}`],
    ["Carrier", resource.agent_url ? `called at ${resource.agent_url}` : "dials out"],
  ];
  if (resource.tags.length) rows.push(["Tags", h("span", { class: "chips" }, resource.tags.map((tag) => h("span", { class: "chip" }, tag)))]);
  if (fixed.unknown.length) rows.push(["Cannot tell", fixed.unknown.join(", ")]);
  return rows;
}

function upgrade(device) {
  if (device.should_upgrade) return ", upgrades when it next calls";
  if (device.upgrade_failure) return `, not upgraded: ${device.upgrade_failure}`;
  if (device.is_agent_current !== false) return "";
  return device.can_upgrade ? ", not the server's own" : ", not the server's own; the install line, typed on the device, upgrades it";
}

function cores({ num_cores: all, allowed_cores: allowed }) {
  const some = allowed.length && allowed.length < all;
  return some ? `${all} cores, of which the agent may use ${allowed.join(", ")}` : `${all} cores`;
}

function clocks(maxima) {
  const known = maxima.filter((khz) => khz !== null);
  if (!known.length) return "";
  const kinds = [...new Set(known)].sort((a, b) => b - a);
  return ` (${kinds.map((khz) => `${known.filter((one) => one === khz).length} × ${(khz / 1e6).toFixed(2)} GHz`).join(", ")})`;
}

function now(moment) {
  const parts = [];
  if (moment.load_1m !== null) parts.push(`load ${moment.load_1m.toFixed(2)}`);
  if (moment.temperature_c !== null) parts.push(`${moment.temperature_c.toFixed(0)} °C`);
  if (moment.governor) parts.push(`governor ${moment.governor}`);
  if (moment.battery_percent !== null) parts.push(`battery ${moment.battery_percent.toFixed(0)} %`);
  return parts.join(", ") || "unknown";
}
