// What a search found: the network as a strip, networks in a plane, against predictions, in a table, as files.

import { send } from "./api.js";
import { badge, byId, fill, grid, h } from "./dom.js";
import { count, milliseconds, share, signed } from "./format.js";
import { isSimulated } from "./job.js";
import { drawScatter } from "./scatter.js";
import { blockStrip, stripLegend } from "./strip.js";

const ROLE_WORDS = { most_macs: "most MACs" };
const FILES = [["onnx", "ONNX"], ["tflite", "TFLite"], ["ncnn", "ncnn, zip"], ["torch", "torch weights"], ["python", "Python"], ["json", "search as JSON"]];

/** Return what stands in the card of results; nothing while there is none. */
export function showResults(search) {
  byId("results-card").hidden = search.architectures.length === 0;
  byId("pictures").hidden = search.architectures.length === 0;
  if (!search.architectures.length) return [];
  showPictures(search);
  showFiles(search);
  const table = search.request.points === null ? comparison(search) : front(search);
  const found = search.result?.architecture;
  return [found ? [blockStrip(found, "the found network"), stripLegend()] : [], table].flat();
}

/** The name of a network in a table and beside its point. */
export function networkName(network, search) {
  if (network.role !== "found" || network.architecture === search.result?.architecture) return ROLE_WORDS[network.role] ?? network.role;
  return search.request.paths === "none" ? "decoded" : "sampled";
}

/** Return the points of a search's networks: milliseconds against accuracy or measured milliseconds. */
export function networkPoints(search, readX, readY) {
  return search.architectures.map((network) => ({ network, x: readX(network), y: readY(network) }))
    .filter(({ x, y }) => x !== null && x !== undefined && y !== null && y !== undefined)
    .map(({ network, x, y }) => {
      const name = networkName(network, search);
      return { network, x, y, name, kind: name === "sampled" || name === "decoded" ? "sampled" : network.role };
    });
}

export const latencyMs = (network) => (network.measured_us ?? network.predicted_us) / 1000;
const accuracyOf = (network) => (network.test_accuracy ?? network.validation_accuracy ?? null);

function showPictures(search) {
  const measured = isSimulated(search.job) ? "simulated" : "measured";
  const trained = networkPoints(search, latencyMs, (network) => (accuracyOf(network) === null ? null : 100 * accuracyOf(network)));
  byId("plane-card").hidden = trained.length < 2;
  if (trained.length > 1) drawScatter(byId("plane"), trained, { xName: `latency, ms (${measured})`, yName: "accuracy, %", target: search.request.target_ms, hasFront: true });
  const both = networkPoints(search, ({ predicted_us: us }) => us / 1000, ({ measured_us: us }) => (us === null ? null : us / 1000));
  byId("diagonal-card").hidden = both.length === 0;
  if (both.length) showDiagonal(search, both, measured);
}

/** Predicted against measured; the intervals come from the table that the search used. */
async function showDiagonal(search, points, measured) {
  const options = { xName: "predicted, ms (bar: 90 % interval)", yName: `${measured}, ms`, isDiagonal: true };
  drawScatter(byId("diagonal"), points, options);
  const { job, snapshot } = search;
  const predictions = await send("POST", "/predictions", {
    device: job.device_id, space: job.space, conditions: job.conditions, snapshot,
    architectures: points.map(({ network }) => network.architecture),
  }).catch(() => []); // a table that cannot predict any more: the points stand without intervals
  const bounds = new Map(predictions.map((each) => [each.architecture, each]));
  const inMs = (us) => (us === null || us === undefined ? null : us / 1000);
  drawScatter(byId("diagonal"), points.map((point) => {
    const bound = bounds.get(point.network.architecture);
    return { ...point, low: inMs(bound?.low_us), high: inMs(bound?.high_us) };
  }), options);
  const known = points.filter(({ network }) => bounds.get(network.architecture)?.low_us !== null && bounds.has(network.architecture));
  const inside = known.filter(({ network }) => {
    const { low_us: low, high_us: high } = bounds.get(network.architecture);
    return low <= network.measured_us && network.measured_us <= high;
  });
  byId("diagonal-words").textContent = known.length ? `${inside.length} of ${known.length} lie in their interval.` : "The table tells no intervals.";
}

const details = (architecture) => h("details", {}, h("summary", {}, "show"), h("code", {}, architecture.replaceAll(",", ", ")));

/** A front: for each device its targets, and the network that was decoded for each. */
function front(search) {
  const points = search.architectures.flatMap((network) => network.decoded_for.map((point) => ({ network, point })));
  const on = (network, device) => network.others.find((other) => other.device === device) ?? network;
  points.sort((a, b) => a.point.device.localeCompare(b.point.device) || a.point.target_us - b.point.target_us);
  const rows = points.map(({ network, point }) => {
    const { predicted_us, measured_us } = on(network, point.device);
    return { cells: [
      point.device, milliseconds(point.target_us), milliseconds(predicted_us), milliseconds(measured_us),
      signed((measured_us ?? predicted_us) / point.target_us - 1), network.estimated_nats?.toFixed(3) ?? null,
      share(network.test_accuracy), count(network.macs), count(network.params), details(network.architecture),
    ] };
  });
  return scrolled(grid([
    { title: "Device" }, { title: "Target, ms", number: true }, { title: "Predicted, ms", number: true },
    { title: "Measured, ms", number: true }, { title: "Of target", number: true }, { title: "Estimated, nats", number: true },
    { title: "Test", number: true }, { title: "MACs", number: true }, { title: "Params", number: true }, { title: "Blocks" },
  ], rows, "Estimated: what the search's effects say of cross entropy, against the mean of all networks; less is better."));
}

const scrolled = (table) => h("div", { class: "scroll", id: "comparison", tabindex: 0, role: "group", "aria-label": "Networks" }, table);

function comparison(search) {
  const targetUs = search.request.target_ms === null ? Infinity : 1000 * search.request.target_ms;
  const others = search.request.also.map(({ device }, index) => ({ device: search.architectures[0].others[index]?.device ?? device, index }));
  const measured = isSimulated(search.job) ? "Simulated" : "Measured";
  const columns = [
    { title: "Network" }, { title: "Predicted, ms", number: true }, { title: `${measured}, ms`, number: true },
    { title: "Difference", number: true }, ...others.map(({ device }) => ({ title: `On ${device}, ms`, number: true })),
    { title: "Validation", number: true }, { title: "Test", number: true },
    { title: "MACs", number: true }, { title: "Params", number: true }, { title: "Blocks" },
  ];
  const rows = search.architectures.map((network) => {
    const isFound = network.role === "found";
    const isOver = isFound && (network.measured_us ?? network.predicted_us) > targetUs;
    return { kind: isFound && network.architecture === search.result?.architecture ? "found" : null, cells: [
      h("span", {}, networkName(network, search), isOver ? badge("bad", "over target") : null),
      milliseconds(network.predicted_us), milliseconds(network.measured_us),
      network.measured_us === null ? null : signed(network.measured_us / network.predicted_us - 1),
      ...others.map(({ index }) => elsewhere(network.others[index])),
      share(network.validation_accuracy), share(network.test_accuracy),
      count(network.macs), count(network.params), details(network.architecture),
    ] };
  });
  const how = measured === "Simulated" ? "drawn with a device's noise, not measured" : "on the device, at the table's level";
  return scrolled(grid(columns, rows, search.request.target_ms === null ? null
    : `Target ${search.request.target_ms} ms. Predicted: from the latency table. ${measured}: ${how}. ${
      search.request.paths === "none" ? "Decoded: before the limit was corrected." : "Sampled: drawn from θ, not chosen."}`));
}

function elsewhere(other) {
  if (!other) return null;
  const us = other.measured_us ?? other.predicted_us;
  return h("span", {}, `${milliseconds(us)}${other.measured_us === null ? " predicted" : ""}`,
    us > other.target_us ? badge("bad", `over ${milliseconds(other.target_us)}`) : null);
}

/** The files that can be downloaded; those that were run and measured with what they gave. */
function showFiles({ job, request, result }) {
  byId("files").hidden = !result;
  if (!result) return;
  const path = `/api/v1/searches/${job.job_id}/export`;
  const isTrained = request.train_epochs > 0;
  fill(byId("downloads"), FILES.filter(([format]) => isTrained || format === "json").map(([format, words]) =>
    h("a", { class: "button", href: `${path}?format=${format}`, download: true }, words)));
  const { files } = result;
  const devices = [...new Set(files.flatMap((file) => file.latencies.map(({ device }) => device)))];
  const columns = [{ title: "File" }, { title: "Size, kB", number: true },
    ...devices.map((device) => ({ title: `Measured on ${device}, ms`, number: true })),
    { title: "Validation", number: true }, { title: "Test", number: true }];
  const rows = files.map((file) => ({ cells: [
    h("a", { href: `${path}?format=${file.format}&dtype=${file.dtype}` }, `${file.format} ${file.dtype}`),
    (file.size_bytes / 1000).toFixed(0),
    ...devices.map((device) => milliseconds(file.latencies.find((each) => each.device === device)?.measured_us)),
    share(file.validation_accuracy), share(file.test_accuracy),
  ] }));
  fill(byId("file-table"), files.length ? grid(columns, rows, "Each file was run and measured as it is handed out. It takes uint8 images.") : null);
}
