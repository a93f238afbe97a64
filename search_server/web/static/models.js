// All models that people brought, newest first.

import { list, run } from "./api.js";
import { byId, commandLine, fill, grid, h } from "./dom.js";
import { ago, count } from "./format.js";

const COLUMNS = [
  { title: "Name" }, { title: "File" }, { title: "Nodes", number: true }, { title: "Parameters", number: true },
  { title: "Bytes", number: true }, { title: "Added" },
];

function row(model) {
  const { facts } = model;
  return { cells: [
    h("a", { href: `/models/${encodeURIComponent(model.name)}` }, model.name),
    `${model.format}, ${facts.dtype}, ${facts.version}`, count(facts.num_nodes), count(facts.num_params),
    count(model.size_bytes), ago(model.created_at),
  ] };
}

await run(async () => {
  const models = await list("/models");
  byId("summary").textContent = models.length ? `${models.length} files, newest first` : "";
  fill(byId("models"), models.length
    ? h("div", { class: "card scroll" }, grid(COLUMNS, models.map(row)))
    : h("div", { class: "card steps" }, h("p", {}, "No model yet. Add a file:"),
      commandLine("edgenas model add FILE.onnx")));
});
