// The life of a latency table: where it comes from, whether it still holds, and what was measured beside it.

import { get, list } from "./api.js";
import { badge, byId, commandLine, facts, fill, grid, h } from "./dom.js";
import { ago, milliseconds, signed } from "./format.js";

const HISTORY_COLUMNS = [
  { title: "Snapshot" }, { title: "Created" }, { title: "Verdict" }, { title: "Anchor, ms", number: true },
  { title: "Reason" }, { title: "Change" },
];
const NETWORK_COLUMNS = [
  { title: "Network" }, { title: "Measured, ms", number: true }, { title: "Predicted, ms", number: true },
  { title: "Difference", number: true }, { title: "In the 90 % interval" }, { title: "When" },
];

/** Return whether the newest check found that the device has moved away from a table. */
export function isStale(summary) {
  return summary.drift?.outcome === "stale";
}

/** Return the word that a table deserves: used or not, and why not. */
export function standingBadge(summary) {
  if (summary.verdict && !summary.verdict.is_accepted) return badge("bad", "not accepted");
  if (isStale(summary)) return badge("bad", "stale");
  if (summary.superseded_by) return badge("off", "superseded");
  if (summary.verdict?.is_noise_accepted) return badge("busy", "accepted with its noise");
  return summary.verdict ? badge("good", "accepted") : badge("off", "no verdict");
}

function link(snapshot) {
  return h("a", { href: `/tables/${snapshot}` }, h("code", {}, snapshot));
}

/** Say at the top what keeps a table from being used. */
export function showWarning(summary) {
  const warning = isStale(summary)
    ? ["This table is stale: networks have moved against the anchor. It is used only where it is named; measure the space again."]
    : summary.superseded_by ? ["A newer table follows this one: ", link(summary.superseded_by), "."] : null;
  byId("warning").hidden = warning === null;
  fill(byId("warning"), warning);
}

/** Show the newest check, and the snapshots that this one follows from. */
export async function showLife(summary) {
  const { drift } = summary;
  const found = !drift ? [h("p", {}, "Not checked since it was made.")] : [h("dl", {}, facts([
    ["Newest check", `${ago(drift.found_at)}: ${drift.outcome}`],
    ["Level", `${signed(drift.level)}: the anchor took ${milliseconds(drift.anchor_then_us)} ms, takes ${milliseconds(drift.anchor_now_us)} ms`],
    ["Structure", `${signed(drift.structure)}: median of ${drift.networks.length} networks against the anchor`],
  ]))];
  const isMeasured = summary.source === "measured";
  fill(byId("check"), found, isMeasured ? commandLine(`edgenas tables check ${summary.snapshot}`) : null);
  const known = new Map((await list(`/latency-tables?${relatedTo(summary)}`)).map((table) => [table.snapshot, table]));
  const chain = [summary];
  while (known.has(chain.at(-1).lineage.parent)) chain.push(known.get(chain.at(-1).lineage.parent));
  fill(byId("history"), grid(HISTORY_COLUMNS, chain.map((table) => ({ cells: [
    link(table.snapshot), ago(table.created_at), standingBadge(table), milliseconds(table.anchor_us),
    table.lineage.reason, table.lineage.change || null,
  ] }))));
  await showNetworks(summary);
}

/** The query of what belongs to a table's device and space. */
function relatedTo(summary) {
  return `device=${encodeURIComponent(summary.device_id)}&space=${encodeURIComponent(summary.space)}`;
}

/** Show the networks that were measured while this table was the newest. */
export async function showNetworks(summary) {
  const { items } = await get(`/measurements?${relatedTo(summary)}`);
  const measured = items.flatMap(({ latencies }) => latencies)
    .filter(({ prediction }) => prediction?.snapshot === summary.snapshot);
  byId("networks-card").hidden = measured.length === 0;
  fill(byId("networks"), grid(NETWORK_COLUMNS, measured.map((network) => {
    const { latency_us: us, prediction } = network;
    const isKnown = prediction.low_us !== null;
    const isInside = prediction.low_us <= us && us <= prediction.high_us;
    return { cells: [
      h("details", {}, h("summary", {}, "show"), h("code", {}, network.architecture.replaceAll(",", ", "))),
      milliseconds(us), milliseconds(prediction.latency_us), signed(us / prediction.latency_us - 1),
      !isKnown ? "unknown" : isInside ? badge("good", "inside") : badge("bad", "outside"), ago(network.measured_at),
    ] };
  })));
}
