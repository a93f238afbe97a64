// What a search found: the network as a strip, all networks in a table, and files to take away.

import { badge, byId, fill, grid, h } from "./dom.js";
import { count, milliseconds, share, signed } from "./format.js";
import { isSimulated } from "./job.js";
import { isDelivered, networkName, showPictures } from "./search_pictures.js";
import { blockStrip, stripLegend } from "./strip.js";

const FILES = [["onnx", "ONNX"], ["tflite", "TFLite"], ["ncnn", "ncnn, zip"], ["torch", "torch weights"], ["python", "Python"], ["hub", "all, with a model card, zip"], ["json", "search as JSON"]];

/** Return what stands in the card of results; nothing while there is none. */
export function showResults(search) {
  byId("results-card").hidden = search.architectures.length === 0;
  showPictures(search);
  if (!search.architectures.length) return [];
  showFiles(search);
  const table = search.request.points === null ? comparison(search) : front(search);
  const found = search.result?.architecture;
  const origin = search.result?.role !== "most_macs" ? [] : h("p", {},
    "The latency table alone gave the network that is delivered: it has the most multiply-accumulates within the limits, and on the validation split it is ahead of what the search found.");
  return [origin, found ? [blockStrip(found, "the delivered network"), stripLegend()] : [], table].flat();
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
    const isResult = isDelivered(network, search);
    const isOver = (isResult || network.role === "found") && (network.measured_us ?? network.predicted_us) > targetUs;
    return { kind: isResult ? "found" : null, cells: [
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
