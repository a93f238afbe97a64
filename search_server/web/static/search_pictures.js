// The networks of a search in pictures, for each of its devices: accuracy against latency, predicted against measured.

import { send } from "./api.js";
import { byId, choice, field, fill } from "./dom.js";
import { setAddress } from "./list_state.js";
import { drawScatter } from "./scatter.js";

const ROLE_WORDS = { most_macs: "most MACs" };

/** Whether the search hands out this network, with its weights and files. */
export const isDelivered = (network, { result }) => network.role === result?.role && network.architecture === result.architecture;

/** What a search found: its result, or, where the largest network is that, the best of the found ones; null: nothing yet. */
function foundBy({ result, architectures }) {
  if (result?.role !== "most_macs") return result;
  const found = architectures.filter(({ role }) => role === "found");
  return found.toSorted((a, b) => (b.validation_accuracy ?? 0) - (a.validation_accuracy ?? 0))[0] ?? null;
}

/** The name of a network in a table and beside its point. */
export function networkName(network, search) {
  if (network.role === "most_macs" && isDelivered(network, search)) return "most MACs, delivered";
  if (network.role !== "found" || network.architecture === foundBy(search)?.architecture) return ROLE_WORDS[network.role] ?? network.role;
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

const inMs = (us) => (us === null || us === undefined ? null : us / 1000);

/** Return what a network takes on the search's first device: as measured, else as predicted. */
export const latencyMs = (network) => inMs(network.measured_us ?? network.predicted_us);
const accuracyOf = (network) => (network.test_accuracy ?? network.validation_accuracy ?? null);

/** The devices of a search; `of` finds what is known of a network on one of them. */
function devicesOf({ job, request, snapshot, architectures }) {
  const first = { name: job.device_name, device: job.device_id, target: request.target_ms, conditions: job.conditions, snapshot, of: (network) => network };
  return [first, ...request.also.map((other, index) => ({
    name: architectures[0]?.others[index]?.device ?? other.device, device: other.device, target: other.target_ms,
    conditions: other.conditions ?? job.conditions, snapshot: other.snapshot, of: (network) => network.others[index],
  }))];
}

/** Show the pictures of the device that the address names, else of the first; nothing while there is no network. */
export function showPictures(search) {
  const devices = devicesOf(search);
  const asked = new URLSearchParams(location.search).get("on");
  const place = Math.max(0, devices.findIndex(({ name }) => name === asked));
  byId("pictures").hidden = search.architectures.length === 0;
  const select = choice(devices.map(({ name }, index) => [String(index), name]), String(place));
  select.addEventListener("change", () => {
    setAddress({ on: select.value === "0" ? "" : devices[select.value].name });
    draw(search, devices[select.value]);
  });
  fill(byId("picture-device"), devices.length > 1 && search.architectures.length ? field("Pictures of the networks on", select) : null);
  if (search.architectures.length) draw(search, devices[place]);
}

function draw(search, device) {
  const measured = device.conditions.runtime === "simulated" ? "simulated" : "measured";
  const trained = networkPoints(search, (network) => inMs(device.of(network)?.measured_us ?? device.of(network)?.predicted_us),
    (network) => (accuracyOf(network) === null ? null : 100 * accuracyOf(network)));
  byId("plane-card").hidden = trained.length < 2;
  if (trained.length > 1) drawScatter(byId("plane"), trained, { xName: `latency, ms (${measured})`, yName: "accuracy, %", target: device.target, hasFront: true });
  const both = networkPoints(search, (network) => inMs(device.of(network)?.predicted_us), (network) => inMs(device.of(network)?.measured_us));
  byId("diagonal-card").hidden = both.length === 0;
  if (both.length) showDiagonal(search, device, both, measured);
}

/** Predicted against measured; the intervals come from the table that the search used. */
async function showDiagonal({ job }, device, points, measured) {
  const options = { xName: "predicted, ms (bar: 90 % interval)", yName: `${measured}, ms`, isDiagonal: true };
  drawScatter(byId("diagonal"), points, options);
  const predictions = await send("POST", "/predictions", {
    device: device.device, space: job.space, conditions: device.conditions, snapshot: device.snapshot,
    architectures: points.map(({ network }) => network.architecture),
  }).catch(() => []); // a table that cannot predict any more: the points stand without intervals
  const bounds = new Map(predictions.map((each) => [each.architecture, each]));
  const told = points.map((point) => {
    const bound = bounds.get(point.network.architecture);
    return { ...point, low: inMs(bound?.low_us), high: inMs(bound?.high_us) };
  });
  drawScatter(byId("diagonal"), told, options);
  const known = told.filter(({ low }) => low !== null), inside = known.filter(({ y, low, high }) => low <= y && y <= high);
  byId("diagonal-words").textContent = known.length ? `${inside.length} of ${known.length} lie in their interval.` : "The table tells no intervals.";
}
