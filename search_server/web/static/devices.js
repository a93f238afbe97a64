// Devices: what each is, what it can run, when it was last heard of.

import { list, repeat, run } from "./api.js";
import { badge, byId, facts, fill, h } from "./dom.js";
import { ago, gibibytes } from "./format.js";

function card(device) {
  const { device: fixed, environment: moment } = device;
  const state = device.is_imported ? badge("imported", "imported table only")
    : device.is_online && device.waiting_for ? badge("off", `waiting for: ${device.waiting_for}`)
    : device.is_online ? badge("good", "online") : badge("off", "offline");
  const runtimes = fixed.runtimes.map(({ name, version, accelerators }) => h("span", { class: "chip" },
    `${name} ${version}${accelerators.length > 1 ? ` (${accelerators.join(", ")})` : ""}`));
  const rows = [
    ["Processor", `${fixed.cpu_model ?? fixed.machine}, ${cores(fixed)}${clocks(fixed.core_max_khz)}`],
    ["Memory", gibibytes(fixed.memory_bytes)],
    ["System", `${fixed.system}, ${fixed.machine}`],
    ["Now", now(moment)],
    ["Runtimes", runtimes.length ? h("span", { class: "chips" }, runtimes) : "none"],
    ["Agent", `${fixed.agent_version || "unknown"}${upgrade(device)}`],
    ["Carrier", device.agent_url ? `called at ${device.agent_url}` : "dials out"],
  ];
  if (device.tags.length) rows.push(["Tags", h("span", { class: "chips" }, device.tags.map((tag) => h("span", { class: "chip" }, tag)))]);
  if (device.current_job_id) rows.push(["At work on", h("code", {}, device.current_job_id)]);
  if (fixed.unknown.length) rows.push(["Cannot tell", fixed.unknown.join(", ")]);
  return h("article", { class: "card device", "aria-label": device.name },
    h("div", { class: "heading" }, h("h2", {}, device.name), state),
    h("p", { class: "hint" }, `last seen ${ago(device.last_seen_at)} · `, h("code", {}, device.device_id)),
    h("dl", {}, facts(device.is_imported ? rows.slice(0, 0) : rows)),
    h("p", {}, h("a", { href: `/tables?device=${encodeURIComponent(device.device_id)}` }, "Latency tables")));
}

function upgrade(device) {
  if (device.should_upgrade) return ", upgrades when it next calls";
  return device.upgrade_failure ? `, not upgraded: ${device.upgrade_failure}` : "";
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

async function show() {
  const devices = await list("/devices");
  const online = devices.filter((device) => device.is_online).length;
  byId("summary").textContent = devices.length ? `${devices.length} enrolled, ${online} online` : "";
  byId("enrol").hidden = false;
  fill(byId("devices"), devices.length ? devices.map(card)
    : h("p", { class: "empty-state" }, "No device has enrolled yet. Two lines make the first one appear."));
}

await run(show);
repeat(show, 5000);
