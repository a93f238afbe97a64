// Two measurements of models side by side: two models on a device, or one model on two devices. '?a=' and '?b=' are
// the jobs, '?model-a=' and '?model-b=' the models in whose lists they stand.

import { get, list, run } from "./api.js";
import { byId, choice, field, fill, grid, h, when } from "./dom.js";
import { ago, conditions, count, microseconds, milliseconds, signed } from "./format.js";
import { setAddress } from "./list_state.js";
import { makeList } from "./list_view.js";
import { bar } from "./model_bars.js";

const address = new URLSearchParams(location.search);

/** A model and one of its measurements; a change of the measurement goes to the page of that pair. */
async function side(letter, models) {
  const name = letter.toLowerCase();
  const known = models.find((model) => [model.name, model.model_id].includes(address.get(`model-${name}`)));
  const model = choice([["", "choose a model"], ...models.map((each) => each.name)], known?.name ?? "");
  const job = choice([], null);
  const showJobs = async () => {
    const measured = model.value ? (await list(`/models/${encodeURIComponent(model.value)}/measurements`)).filter(({ latency }) => latency) : [];
    const options = measured.map(({ job: each, latency }) => [each.job_id,
      `${each.device_name}, ${conditions(each.conditions)}: ${milliseconds(latency.latency_us)} ms, ${ago(each.created_at)}`]);
    const nothing = model.value ? "not measured yet: open the model's page and measure it" : "choose a model first";
    job.replaceChildren(...(options.length ? options : [["", nothing]]).map(([value, text]) => h("option", { value, selected: value === address.get(name) }, text)));
  };
  const go = () => {
    address.set(`model-${name}`, model.value);
    if (job.value) address.set(name, job.value);
    else address.delete(name);
    if (address.get("a") && address.get("b")) location.search = address.toString();
    else setAddress(Object.fromEntries(address));
  };
  model.addEventListener("change", async () => {
    await showJobs();
    go();
  });
  job.addEventListener("change", go);
  await showJobs();
  return h("div", { class: "fields wide" }, field(`Model ${letter}`, model), field(`Measurement ${letter}`, job));
}

function showWhole({ a, b, ratio, low, high, note }) {
  byId("ratio").textContent = `B takes ${ratio.toFixed(3)} times as long as A`;
  byId("note").hidden = note === "";
  byId("note").textContent = note && `A ratio of ${note}`;
  const both = [a, b], read = (make) => both.map(make);
  const link = ({ model_name: name, job }) => h("a", { href: `/models/${encodeURIComponent(name)}?job=${job.job_id}` }, name);
  fill(byId("whole"), grid([{ title: "Measurement" }, { title: "A" }, { title: "B" }], [
    ["Model", ...read(link)],
    ["Device", ...read(({ job }) => job.device_name)],
    ["Conditions", ...read(({ job, latency }) => conditions({ ...job.conditions, runtime_version: latency.runtime_version }))],
    ["Latency, ms", ...read(({ latency }) => milliseconds(latency.latency_us))],
    ["90 % interval, ms", ...read(({ latency }) => `${milliseconds(latency.low_us)} to ${milliseconds(latency.high_us)}`)],
    ["Runs", ...read(({ latency }) => count(latency.num_samples))],
    ["When", ...read(({ latency }) => when(latency.measured_at))],
  ].map((cells) => ({ cells })), `With at least 90 % confidence B takes ${low.toFixed(3)} to ${high.toFixed(3)} times as long as A.`));
}

/** A's bar above B's, on one scale. */
function pair(a, b, longest) {
  return h("span", { class: "bar-pair" }, bar(a ?? 0, longest), bar(b ?? 0, longest, "second"));
}

const difference = (us, show) => `${us < 0 ? "−" : "+"}${show(Math.abs(us))}`;

function showTypes({ operators }) {
  if (!operators.length) {
    fill(byId("types"), h("p", { class: "hint" }, "Neither measurement has the times of nodes. ONNX files that ONNX Runtime measures have them."));
    return;
  }
  const longest = Math.max(...operators.flatMap(({ a_us: a, b_us: b }) => [a ?? 0, b ?? 0]));
  const columns = [{ title: "Operator" }, { title: "A, ms", number: true }, { title: "B, ms", number: true }, { title: "A above B" },
    { title: "B − A, ms", number: true }, { title: "Of A", number: true }];
  makeList(byId("types"), columns, "Filter operators", { prefix: "types-" }).show(operators.map(({ op_type: name, a_us: a, b_us: b }) => {
    const more = (b ?? 0) - (a ?? 0), relative = a && b ? b / a - 1 : null;
    return { key: name, values: [name, a, b, longest, more, relative], cells: () => [
      name, a === null ? null : milliseconds(a), b === null ? null : milliseconds(b), pair(a, b, longest), difference(more, milliseconds), relative === null ? null : signed(relative)] };
  }));
}

function showNodes({ nodes }) {
  if (!nodes.length) {
    fill(byId("nodes"), h("p", { class: "hint" }, "No node has the same name and type in both: each runtime and version names what it fuses. The types above can be compared all the same."));
    return;
  }
  const longest = Math.max(...nodes.flatMap(({ a_us: a, b_us: b }) => [a, b]));
  const columns = [{ title: "Node" }, { title: "Operator", choice: true }, { title: "A, µs", number: true }, { title: "B, µs", number: true },
    { title: "A above B" }, { title: "B − A, µs", number: true }];
  makeList(byId("nodes"), columns, "Filter nodes", { prefix: "nodes-" }).show(nodes.map(({ node, op_type: type, a_us: a, b_us: b }) => ({
    key: `${node} ${type}`, values: [node, type, a, b, longest, b - a],
    cells: () => [h("code", {}, node), type, microseconds(a), microseconds(b), pair(a, b, longest), difference(b - a, microseconds)],
  })));
}

await run(async () => {
  const models = await list("/models");
  if (!models.length) {
    fill(byId("choice"), h("p", {}, "There is no model yet: ", h("a", { href: "/models" }, "add one"), " and measure it."));
    return;
  }
  const [a, b] = [address.get("a"), address.get("b")];
  const found = a && b ? await get(`/models/compare?${new URLSearchParams({ a, b })}`) : null;
  for (const name of found ? ["a", "b"] : []) address.set(`model-${name}`, found[name].model_name);
  fill(byId("choice"), await Promise.all(["A", "B"].map((letter) => side(letter, models))));
  if (!found) return;
  byId("pair").hidden = false;
  byId("exports").hidden = false;
  byId("json-link").href = `/api/v1/models/compare?${new URLSearchParams({ a, b })}`;
  showWhole(found);
  showTypes(found);
  showNodes(found);
});
