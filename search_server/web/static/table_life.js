// The life of a latency table: where it comes from, whether it still holds, and what was measured beside it.

import { actButton, get, list, send } from "./api.js";
import { badge, byId, facts, fill, grid, h } from "./dom.js";
import { follow } from "./follow.js";
import { ago, milliseconds, signed } from "./format.js";
import { progressBar, statusBadge } from "./job.js";

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
  fill(byId("check"), driftFacts(summary.drift));
  if (summary.source === "measured") offerCheck(summary);
  const known = new Map((await list(`/latency-tables?${relatedTo(summary)}`)).map((table) => [table.snapshot, table]));
  showTwin(summary, [...known.values()]);
  const chain = [summary];
  while (known.has(chain.at(-1).lineage.parent)) chain.push(known.get(chain.at(-1).lineage.parent));
  fill(byId("history"), grid(HISTORY_COLUMNS, chain.map((table) => ({ cells: [
    link(table.snapshot), ago(table.created_at), standingBadge(table), milliseconds(table.anchor_us),
    table.lineage.reason, table.lineage.change || null,
  ] }))));
  await showNetworks(summary);
}

function driftFacts(drift) {
  return !drift ? h("p", {}, "Not checked since it was made.") : h("dl", {}, facts([
    ["Newest check", `${ago(drift.found_at)}: ${drift.outcome}`],
    ["Level", `${signed(drift.level)}: the anchor took ${milliseconds(drift.anchor_then_us)} ms, takes ${milliseconds(drift.anchor_now_us)} ms`],
    ["Structure", `${signed(drift.structure)}: median of ${drift.networks.length} networks against the anchor`],
  ]));
}

/** Offer to check the table, and to scale it to the networks that were measured beside it. */
function offerCheck({ snapshot }) {
  const news = h("div", { role: "status" }), path = `/latency-tables/${snapshot}`;
  byId("check").append(h("p", { class: "actions" },
    actButton("Check it now", async () => {
      const { job } = await send("POST", `${path}/checks`);
      const ended = await follow(`/checks/${job.job_id}`, (work) => fill(news, statusBadge(work.job), progressBar(work.job)));
      fill(news, ended.drift ? driftFacts(ended.drift) : h("p", { class: "failure" }, `${ended.job.status}: ${ended.job.message}`));
    }),
    actButton("Recalibrate", async () => {
      const made = await send("POST", `${path}/recalibrations`);
      fill(news, h("p", {}, `${made.num_networks} measured networks ask for a factor of ${made.factor.toFixed(3)}: `, link(made.snapshot)));
    }, { class: "quiet" })),
  h("p", { class: "hint" }, "A check measures four networks, some ten seconds. Recalibrating scales all cells to what five or more networks took that were measured beside this table."),
  news);
}

/** Lead to the newest table that was measured hot where this one was measured cold, or the other way round. */
function showTwin(summary, tables) {
  const rest = (table) => JSON.stringify({ ...table.conditions, thermal: null });
  const twin = tables.find((table) => table.conditions.thermal !== summary.conditions.thermal
    && rest(table) === rest(summary) && table.verdict?.is_accepted !== false);
  if (!twin) return;
  const [cold, sustained] = summary.conditions.thermal === "cold" ? [summary, twin] : [twin, summary];
  fill(byId("twin"), `Also measured ${twin.conditions.thermal}: `,
    h("a", { href: `/tables/compare?a=${cold.snapshot}&b=${sustained.snapshot}` }, "cold beside sustained"), ".");
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
