// The devices of a search with their tables, and a target for each on a slider over its table's range.

import { list } from "./api.js";
import { byId, choice, field, h } from "./dom.js";
import { ago, conditions, milliseconds } from "./format.js";

const MOST_DEVICES = 8;
const FIRST_TARGET = 0.4; // of the way from the fastest network to the slowest
const rows = []; // {element, device, table, number, slider, tables}

const spaceOf = () => byId("search").elements.space.value.trim();

/** Return `{device, target_ms, conditions, snapshot}` of each row; nothing for one without a table. */
export function targetsOfForm() {
  return rows.filter(({ device }) => device.value).map(({ device, table, number, tables }) => {
    const chosen = tables.find(({ snapshot }) => snapshot === table.value);
    return {
      device: device.value, target_ms: number.value === "" ? null : Number(number.value),
      ...(chosen ? { conditions: chosen.conditions, snapshot: chosen.snapshot } : {}),
    };
  });
}

/** Return the field of a row that a path of the request means, such as `body.also.0.target_ms`. */
export function targetField(parts) {
  const at = parts.indexOf("also");
  const row = rows[at < 0 ? 0 : 1 + Number(parts[at + 1])];
  if (!row) return null;
  return { target_ms: row.number, device: row.device, snapshot: row.table, conditions: row.table }[parts.at(-1)] ?? null;
}

let newest = []; // tables of the space that can be searched with, the newest first

async function readTables() {
  const tables = spaceOf() ? await list(`/latency-tables?space=${encodeURIComponent(spaceOf())}`).catch(() => []) : [];
  newest = tables.filter(({ verdict, drift, fastest_us: fastest }) =>
    fastest !== null && (verdict === null || verdict.is_accepted) && drift?.outcome !== "stale");
}

/** Show these devices; null: those that are shown, for another space. */
export async function fillTargets(wanted) {
  await readTables();
  const kept = wanted ?? rows.map(({ device }) => ({ device: device.value, target_ms: null }));
  rows.length = 0;
  byId("targets").replaceChildren();
  for (const target of kept.length ? kept : [{}]) addTarget(target);
}

/** Add a row for one more device. */
export function addTarget(wanted = {}) {
  if (rows.length >= MOST_DEVICES) return;
  const names = new Map(newest.map(({ device_id: id, device_name: name }) => [id, name]));
  const known = [...names].find(([id, name]) => id === wanted.device || name === wanted.device)?.[0];
  const used = new Set(rows.map(({ device }) => device.value));
  const chosen = known ?? [...names.keys()].find((id) => !used.has(id)) ?? null;
  const number = rows.length;
  const row = {
    device: choice([...names], chosen, { "aria-label": `Device ${number + 1}` }), tables: [],
    table: choice([], null, { "aria-label": `Latency table ${number + 1}` }),
    number: h("input", { type: "number", step: "any", min: 0, "aria-label": `Target ${number + 1}, ms` }),
    slider: h("input", { type: "range", min: 0, max: 1000, "aria-label": `Target ${number + 1} on a slider` }),
    range: h("small", { class: "hint" }),
  };
  const remove = number === 0 ? null : h("button", { type: "button", class: "quiet", "aria-label": `Remove device ${number + 1}`, onclick: () => {
    rows.splice(rows.indexOf(row), 1);
    row.element.remove();
    byId("search").dispatchEvent(new Event("change"));
    byId("add-target").focus();
  } }, "Remove");
  row.element = h("div", { class: "target-row" }, field("Device", row.device), field("Latency table", row.table),
    h("div", { class: "field" }, h("span", {}, "Target, ms"), h("div", { class: "slider" }, row.slider, row.number), row.range), remove);
  row.device.addEventListener("change", () => showTables(row));
  row.table.addEventListener("change", () => showRange(row, null));
  row.slider.addEventListener("input", () => { row.number.value = sliderMs(row).toPrecision(3); });
  row.number.addEventListener("input", () => placeSlider(row));
  rows.push(row);
  byId("targets").append(row.element);
  showTables(row, wanted);
}

/** The tables of a row's device, one for each of its conditions. */
function showTables(row, wanted = {}) {
  const own = newest.filter(({ device_id: id }) => id === row.device.value);
  const key = (given) => JSON.stringify({ ...given, runtime_version: null });
  row.tables = own.filter((table, index) => own.findIndex((one) => key(one.conditions) === key(table.conditions)) === index);
  const asked = wanted.conditions ? row.tables.find((table) => key(table.conditions) === key(wanted.conditions)) : null;
  row.table.replaceChildren(...row.tables.map((table) => h("option", { value: table.snapshot, selected: table === asked },
    `${conditions(table.conditions)}; ${table.is_simulated ? "simulated" : "measured"} ${ago(table.created_at)}`)));
  showRange(row, wanted.target_ms ?? null);
}

function bounds(row) {
  const table = row.tables.find(({ snapshot }) => snapshot === row.table.value);
  return table ? [table.fastest_us / 1000, table.slowest_us / 1000] : null;
}

function showRange(row, target) {
  const range = bounds(row);
  row.slider.disabled = range === null;
  row.range.textContent = range ? `Networks take ${milliseconds(1000 * range[0])} to ${milliseconds(1000 * range[1])} ms.`
    : `No device has a usable latency table of ${spaceOf() || "this space"}: profile it first, on the page of devices.`;
  if (!range) {
    row.number.value = target ?? "";
    return;
  }
  row.number.value = target ?? (range[0] + FIRST_TARGET * (range[1] - range[0])).toPrecision(3);
  placeSlider(row);
}

const sliderMs = (row) => {
  const [low, high] = bounds(row);
  return low + (high - low) * row.slider.value / row.slider.max;
};

function placeSlider(row) {
  const range = bounds(row);
  if (range) row.slider.value = Math.round(row.slider.max * (Number(row.number.value) - range[0]) / (range[1] - range[0] || 1));
}
