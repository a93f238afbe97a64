// Devices: what each is, what it measures now, which tables it has, and what it may be asked.

import { attempt, get, list, repeat, run } from "./api.js";
import { listenForNew, noticeArrival } from "./add_device.js";
import { deviceRows, isSimulatedDevice } from "./device_facts.js";
import { settingsForm } from "./device_settings.js";
import { checkButton, deviceForms, upgradeButton, workList } from "./device_work.js";
import { badge, byId, facts, fill, h, refill, when } from "./dom.js";
import { ago } from "./format.js";
import { hasEnded } from "./job.js";
import { sparkline } from "./sparkline.js";
import { isStale, standingBadge } from "./table_life.js";
import { originBadge, spaceName } from "./table_names.js";

const cards = new Map(); // device_id -> the parts of its card
let devices = [];
let tables = [];
let workKey = null;

function stateBadge(device) {
  if (device.is_imported) return badge("imported", "imported table only");
  if (!device.is_online) return badge("off", "offline");
  return device.waiting_for ? badge("off", `waiting for: ${device.waiting_for}`) : badge("good", "online");
}

function makeCard(device) {
  const parts = { name: h("h2", {}), state: h("span", {}), seen: h("p", { class: "hint" }), lease: h("p", {}), facts: h("dl", {}), upgrade: h("p", {}),
    trend: h("div", { class: "trend" }), work: h("ul", { class: "plain work" }),
    tables: h("div", {}), forms: h("div", {}), settings: h("div", {}) };
  parts.card = h("article", { class: "card device", id: device.device_id },
    h("div", { class: "heading" }, parts.name, parts.state), parts.seen, parts.lease, parts.work, parts.facts, parts.upgrade, parts.trend, parts.tables, parts.forms, parts.settings);
  refill(parts.forms, device.device, () => deviceForms(device, show));
  return parts;
}

const kinds = new Map(); // what jobs that no list here has are: a search, a model's measurement

/** Say what a device is at work on; a search is a link. Others' private jobs are not told. */
async function leaseWords(id) {
  if (!kinds.has(id)) kinds.set(id, (await get(`/ids/${id}?kind=job`))[0]?.words.split(",")[0] ?? null);
  const kind = kinds.get(id);
  if (kind === null) return badge("busy", "at work");
  const name = h("code", {}, id);
  return [badge("busy", `at work on a ${kind}`), " ", kind === "search" ? h("a", { href: `/searches/${id}` }, name) : name];
}

async function showCard(device, works) {
  if (!cards.has(device.device_id)) cards.set(device.device_id, makeCard(device));
  const parts = cards.get(device.device_id);
  parts.card.ariaLabel = device.name;
  fill(parts.name, device.name);
  fill(parts.state, stateBadge(device), isSimulatedDevice(device) ? badge("simulated", "simulated") : null);
  fill(parts.seen, device.is_imported ? "known from an imported table; nothing can be measured on it"
    : device.last_seen_at ? when(device.last_seen_at, "last seen ") : "never seen");
  if (!device.is_imported) refill(parts.facts, [device.device, device.environment, device.tags, device.should_upgrade, device.upgrade_failure, device.is_agent_current], () => facts(deviceRows(device)));
  const offer = await upgradeButton(device, show);
  refill(parts.upgrade, offer !== null, () => offer);
  const settings = await settingsForm(device, show);
  refill(parts.settings, [device.name, device.tags, device.agent_url], () => settings ?? []);
  const mine = works.filter(({ job }) => job.device_id === device.device_id);
  const other = mine.some(({ job }) => job.job_id === device.current_job_id) ? null : device.current_job_id;
  const lease = other ? await leaseWords(other) : null;
  refill(parts.lease, other, () => lease);
  const items = await workList(mine, show);
  refill(parts.work, mine, () => items);
  const own = tables.filter((table) => table.device_id === device.device_id);
  refill(parts.tables, [own, own.map(({ created_at: at }) => ago(at))], () => tableList(own, device));
}

/** The newest table for each space and conditions: how old and whole it is, and whether it still holds. */
function tableList(own, device) {
  const newest = new Map();
  for (const table of own) {
    const key = JSON.stringify([table.space, { ...table.conditions, runtime_version: null }]);
    if (!newest.has(key)) newest.set(key, table);
  }
  if (!newest.size) return h("p", { class: "hint" }, "No latency table yet: profile a space.");
  const shown = [...newest.values()].slice(0, 5);
  return [h("h3", {}, "Latency tables"), h("ul", { class: "plain tables" }, shown.map((table) => h("li", {},
    h("div", { class: "row" }, h("a", { href: `/tables/${table.snapshot}` }, spaceName(table)), originBadge(table), standingBadge(table),
      table.source === "measured" && !device.is_imported ? checkButton(table, show) : null),
    h("div", { class: "row hint" },
      h("meter", { min: 0, max: table.num_entries, value: table.num_measured, "aria-label": "coverage" }),
      h("span", {}, `${table.num_measured} of ${table.num_entries} entries, `, when(table.created_at),
      table.drift ? `, checked ${ago(table.drift.found_at)}${isStale(table) ? "" : `: ${table.drift.outcome}`}` : ", never checked"))))),
  own.length > shown.length ? h("p", {}, h("a", { href: `/tables?device=${encodeURIComponent(device.device_id)}` }, `All ${own.length} tables`)) : null];
}

async function showTrend(device) {
  if (device.is_imported) return;
  const trend = await get(`/devices/${device.device_id}/trend`);
  const rows = [["Canary", sparkline("Canary", trend.canary_us, "µs")], ["Temperature", sparkline("Temperature", trend.temperature_c, "°C")]];
  const known = rows.filter(([, curve]) => curve !== null);
  refill(cards.get(device.device_id).trend, trend, () => (known.length ? h("dl", {}, facts(known)) : null));
}

const seen = new Set(); // jobs that were at work while this page was open

/** Jobs on devices that have not ended, and those that failed while one looked; a card shows them. */
async function atWork() {
  const pages = await Promise.all(["profiles", "measurements", "checks"].map((kind) => get(`/${kind}?limit=50`)));
  const all = pages.flatMap(({ items }) => items);
  for (const { job } of all) if (!hasEnded(job)) seen.add(job.job_id);
  return all.filter(({ job }) => !hasEnded(job) || (job.status === "failed" && seen.has(job.job_id)));
}

async function show() {
  const [found, works] = await Promise.all([list("/devices"), atWork()]);
  devices = found;
  const key = JSON.stringify([devices.map(({ device_id: id }) => id), works.map(({ job }) => [job.job_id, hasEnded(job)])]);
  const hasChanged = key !== workKey; // a job has ended or begun: tables and trends may be new
  workKey = key;
  if (hasChanged) tables = await list("/latency-tables");
  const online = devices.filter((device) => device.is_online).length;
  byId("summary").textContent = devices.length ? `${devices.length} known, ${online} online` : "";
  byId("enrol").hidden = false;
  await Promise.all(devices.map((device) => showCard(device, works)));
  refill(byId("devices"), devices.map(({ device_id: id }) => id), () => (devices.length ? devices.map(({ device_id: id }) => cards.get(id).card)
    : h("p", { class: "empty-state" }, "No device has enrolled yet. One line makes the first one appear.")));
  noticeArrival(devices);
  if (hasChanged) for (const device of devices) attempt(() => showTrend(device));
}

listenForNew(() => devices.map(({ device_id: id }) => id));
await run(show);
repeat(show, 5000);
