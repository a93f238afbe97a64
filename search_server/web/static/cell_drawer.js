// The drawer of a cell: what was measured of it, in which order, and how the device was meanwhile.

import { actButton, attempt, get, send } from "./api.js";
import { addressValue, remember } from "./address.js";
import { byId, facts, fill, grid, h } from "./dom.js";
import { follow } from "./follow.js";
import { ago, count, median, microseconds, shape, share, utc } from "./format.js";
import { progressBar, statusBadge } from "./job.js";
import { histogram, runOrder } from "./spread_charts.js";
import { askedConditions, isMeasurable } from "./table_names.js";

const COLUMNS = [
  { title: "Started" }, { title: "Network" }, { title: "In" }, { title: "Runs", number: true }, { title: "Median, µs", number: true },
  { title: "Cores" }, { title: "Clock, GHz", number: true }, { title: "°C", number: true }, { title: "Load", number: true },
];

/** Make the drawer; the answer's `open(cell)` opens it, and `sync()` makes it as the address says. */
export function makeDrawer(summary, cellAt) {
  const drawer = byId("drawer");
  byId("close-drawer").addEventListener("click", () => drawer.close());
  drawer.addEventListener("click", ({ target }) => { if (target === drawer) drawer.close(); }); // beside it
  drawer.addEventListener("close", () => remember({ cell: null }));

  function sync() {
    const cell = cellAt.get(addressValue("cell") ?? "");
    if (!cell) {
      if (drawer.open) drawer.close();
      return;
    }
    if (!drawer.open) drawer.showModal();
    attempt(() => show(summary, cell));
  }

  return { sync, open(cell) { remember({ cell: `${cell.layer}/${cell.block}` }); sync(); } };
}

async function show(summary, cell) {
  const place = `${cell.layer}/${cell.block}`;
  byId("drawer-title").textContent = `${cell.layer} ${cell.block}`.trim();
  fill(byId("drawer-facts"), facts([
    ["In the table", cell.latency_us === null ? "not measured" : `${microseconds(cell.latency_us)} µs${cell.sigma_us ? ` ± ${microseconds(cell.sigma_us)}` : ""}`],
    ["Shapes", cell.input_shape.length ? `${shape(cell.input_shape)} → ${shape(cell.output_shape)}` : "unknown"],
    ["Computes", `${count(cell.macs)} MACs with ${count(cell.params)} parameters`],
  ]));
  fill(byId("drawer-samples"), h("p", { class: "hint" }, "Reading the samples…"));
  offerAnew(summary);
  const query = new URLSearchParams({ layer: cell.layer, block: cell.block });
  const found = await get(`/latency-tables/${summary.snapshot}/samples?${query}`).catch((error) => error.message);
  if (addressValue("cell") !== place) return; // another cell meanwhile
  fill(byId("drawer-samples"), typeof found === "string" ? h("p", { class: "hint" }, found) : samplesOf(found));
}

function samplesOf({ spread, windows, job_id: job }) {
  if (!spread) return h("p", { class: "hint" }, windows.length ? "The samples of these windows were compacted." : "Nothing was measured of it: it costs nothing.");
  const order = windows.toSorted((a, b) => a.started_at.localeCompare(b.started_at));
  const samples = order.flatMap(({ wall_us: us }) => us);
  return [
    h("dl", { class: "wide" }, facts([
      ["Median (p50)", `${microseconds(spread.p50_us)} µs`], ["p10 to p90", `${microseconds(spread.p10_us)} to ${microseconds(spread.p90_us)} µs`],
      ["Minimum", `${microseconds(spread.min_us)} µs`], ["Variation (CV)", share(spread.cv)],
      ["Samples", `${count(spread.num_samples)} in ${new Set(windows.map(({ lease_id: id }) => id)).size} windows`],
    ])),
    h("p", { class: "hint" }, "Times as the runtime's profiler gave them, which costs time itself. The table's entry also follows from whole networks."),
    h("h3", {}, "How they are distributed"), h("div", { class: "chart" }, histogram(samples, spread)),
    h("h3", {}, "In which order they came"), h("div", { class: "chart" }, runOrder(order.map(({ wall_us: us }) => us))),
    h("h3", {}, "Windows"), h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Windows" },
      grid(COLUMNS, order.map((window) => ({ cells: windowCells(window) })))),
    h("p", { class: "hint" }, "All that this profile measured, a row a run: ", sampleFile(job, "parquet"), ", ", sampleFile(job, "csv"), "."),
  ];
}

function sampleFile(job, format) {
  return h("a", { href: `/api/v1/samples?job=${job}&format=${format}`, download: true }, format === "csv" ? "CSV" : "Parquet");
}

function windowCells(window) {
  const { before, after, cores_seen: cores, wall_us: us } = window;
  return [
    window.started_at ? h("time", { datetime: window.started_at, title: utc(window.started_at) }, ago(window.started_at)) : null,
    h("code", {}, window.item_id), window.layer, us.length, microseconds(us.length ? median(us) : null), cores.join(", ") || null,
    change(clock(before, cores), clock(after, cores), 2), change(before.temperature_c, after.temperature_c, 0), change(before.load_1m, after.load_1m, 2),
  ];
}

/** The highest clock of the cores that were seen, or of all where none was, in GHz. */
function clock({ core_khz: khz }, cores) {
  const seen = cores.map((core) => khz[core]).filter(Boolean);
  const known = seen.length ? seen : khz.filter(Boolean);
  return known.length ? Math.max(...known) / 1e6 : null;
}

function change(before, after, digits) {
  return before === null || after === null ? null : `${before.toFixed(digits)} → ${after.toFixed(digits)}`;
}

/** Offer to measure all cells anew, which makes another table. */
function offerAnew(summary) {
  if (!isMeasurable(summary)) return;
  const news = h("div", { role: "status" });
  fill(byId("drawer-actions"), h("p", { class: "row" }, actButton("Measure again", async () => {
    const { job } = await send("POST", "/profiles", {
      device: summary.device_id, space: summary.space, conditions: askedConditions(summary), force: true,
    });
    const ended = await follow(`/profiles/${job.job_id}`, (work) => fill(news, statusBadge(work.job), progressBar(work.job)));
    fill(news, ended.snapshot ? h("p", {}, "A new table is there: ", h("a", { href: `/tables/${ended.snapshot}` }, h("code", {}, ended.snapshot)))
      : h("p", { class: "failure" }, `${ended.job.status}: ${ended.job.message}`));
  }), h("span", { class: "hint" }, "Cells are measured together, in whole networks: this makes a new table.")), news);
}
