// Where the time of a model goes: bars by node, by type of operator, or by share.

import { byId, fill, h } from "./dom.js";
import { microseconds, milliseconds, share } from "./format.js";
import { setAddress } from "./list_state.js";
import { makeList } from "./list_view.js";

const VIEWS = { share: "By share", type: "By type", node: "By node" };
const MOST_PARTS = 7; // of the strip; the others are one part

/** Return a bar whose length is a share of the longest one; the number beside it says the same. */
export function bar(value, longest, kind = "") {
  const filled = h("i", { class: kind || null });
  filled.style.setProperty("--length", String(longest > 0 ? Math.max(0, value) / longest : 0));
  return h("span", { class: "bar-line", "aria-hidden": "true" }, filled);
}

/** Show the nodes and operators of a measurement in the view that the address names, and buttons for the others. */
export function showBars(latency) {
  byId("time-card").hidden = false;
  const wanted = new URLSearchParams(location.search).get("view");
  const view = wanted in VIEWS ? wanted : "share";
  fill(byId("views"), latency.nodes.length ? Object.entries(VIEWS).map(([name, title]) => h("button", {
    type: "button", class: "quiet", "aria-pressed": String(name === view), onclick: () => {
      setAddress({ view: name, sort: "", down: "", page: "" });
      showBars(latency);
      byId("views").querySelector("[aria-pressed=true]").focus();
    },
  }, title)) : []);
  if (!latency.nodes.length) {
    fill(byId("bars"), h("p", { class: "hint" }, "The time is known of the whole only: this runtime has no profile of nodes that can be read. ",
      "Export the model as ONNX and measure that file with ONNX Runtime: it tells the time of each node."));
  } else ({ share: showShares, type: showTypes, node: showNodes })[view](latency);
}

/** The strip of all types, and the nodes from the slowest down with what they are together. */
function showShares({ nodes, operators }) {
  const list = h("div", {});
  fill(byId("bars"), strip(operators), list);
  const slowest = nodes.map((node, place) => ({ ...node, place })).sort((a, b) => b.latency_us - a.latency_us);
  let sum = 0;
  const columns = [{ title: "Node" }, { title: "Operator", choice: true }, { title: "Share", number: true }, { title: "Bar" },
    { title: "Together", number: true }, { title: "µs", number: true }];
  makeList(list, columns, "Filter nodes").show(slowest.map((node) => {
    const together = sum += node.share;
    return { key: node.place, values: [node.node, node.op_type, node.share, node.share, together, node.latency_us], cells: () => [
      h("code", {}, node.node), node.op_type, share(node.share), bar(node.share, slowest[0].share), share(together), microseconds(node.latency_us)] };
  }));
}

function strip(operators) {
  const parts = operators.slice(0, MOST_PARTS).map(({ op_type: name, share: value }) => [name, value]);
  const rest = operators.slice(MOST_PARTS);
  if (rest.length) parts.push([`${rest.length} more types`, rest.reduce((sum, { share: value }) => sum + value, 0)]);
  const segments = parts.map(([name, value], index) => {
    const segment = h("i", { class: `part-${index}`, title: `${name}: ${share(value)}` });
    segment.style.setProperty("flex-grow", String(value));
    return segment;
  });
  return h("div", { class: "share-strip" }, h("div", { "aria-hidden": "true" }, segments),
    h("ul", { class: "plain row hint" }, parts.map(([name, value], index) => h("li", {}, h("i", { class: `part-${index}` }), ` ${name} ${share(value)}`))));
}

function showTypes({ operators }) {
  const columns = [{ title: "Operator" }, { title: "Nodes", number: true }, { title: "ms", number: true }, { title: "Bar" }, { title: "Share", number: true }];
  makeList(byId("bars"), columns, "Filter operators").show(operators.map((each) => ({
    key: each.op_type, values: [each.op_type, each.num_nodes, each.latency_us, each.latency_us, each.share],
    cells: () => [each.op_type, each.num_nodes, milliseconds(each.latency_us), bar(each.latency_us, operators[0].latency_us), share(each.share)],
  })));
}

/** Every node in the order in which they run. */
function showNodes({ nodes }) {
  const longest = Math.max(...nodes.map(({ latency_us: us }) => us));
  const columns = [{ title: "Place", number: true }, { title: "Node" }, { title: "Operator", choice: true }, { title: "µs", number: true }, { title: "Bar" },
    { title: "µs under the profiler", number: true }, { title: "Shapes" }];
  makeList(byId("bars"), columns, "Filter nodes").show(nodes.map((node, index) => ({
    key: index, values: [index + 1, node.node, node.op_type, node.latency_us, node.latency_us, node.profiled_us, node.shapes], cells: () => [
      index + 1, h("code", {}, node.node), node.op_type, microseconds(node.latency_us), bar(node.latency_us, longest), microseconds(node.profiled_us), node.shapes],
  })));
}
