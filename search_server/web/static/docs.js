// The REST interface as a list, from the server's own OpenAPI document.

import { ApiError, run } from "./api.js";
import { byId, fill, h } from "./dom.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

/** Return the name of a schema: of a class, an array of it, or a plain type. */
function schemaName(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop().replace(/^Page_(.*)_$/, "Page of $1");
  if (schema.type === "array") return `${schemaName(schema.items) || "any"}[]`;
  const choices = (schema.anyOf ?? []).filter(({ type }) => type !== "null");
  if (choices.length) return choices.map(schemaName).join(" | ");
  return schema.enum?.join(" | ") ?? schema.type ?? "";
}

function contentName(part) {
  const [mediaType, { schema } = {}] = Object.entries(part?.content ?? {})[0] ?? [];
  return mediaType ? schemaName(schema) || mediaType : "";
}

function answer(operation) {
  const [status, response] = Object.entries(operation.responses).find(([code]) => code.startsWith("2")) ?? [];
  return status ? `${status} ${contentName(response)}` : "";
}

function parameter({ name, in: place, required, schema }) {
  return h("li", {}, h("code", {}, name), ` ${[place, schemaName(schema)].filter(Boolean).join(", ")}`,
    required ? "" : ", optional");
}

function row(path, method, operation) {
  const takes = (operation.parameters ?? []).map(parameter);
  const body = contentName(operation.requestBody);
  if (body) takes.push(h("li", {}, "body ", h("code", {}, body)));
  return h("tr", {},
    h("th", { scope: "row" }, h("code", {}, `${method.toUpperCase()} ${path}`)),
    h("td", {}, operation.description ?? operation.summary),
    h("td", {}, h("ul", { class: "plain" }, takes)),
    h("td", {}, h("code", {}, answer(operation))));
}

function section(tag, rows) {
  const head = ["Route", "What", "Takes", "Answers"].map((title) => h("th", { scope: "col" }, title));
  return h("section", { class: "card scroll", tabindex: 0, "aria-label": tag }, h("h2", {}, tag),
    h("table", { class: "grid routes" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)));
}

await run(async () => {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new ApiError(response.status, {});
  const { paths } = await response.json();
  const sections = new Map();
  for (const [path, operations] of Object.entries(paths)) {
    for (const method of METHODS.filter((name) => name in operations)) {
      const tag = operations[method].tags?.[0] ?? "server";
      sections.set(tag, [...(sections.get(tag) ?? []), row(path, method, operations[method])]);
    }
  }
  fill(byId("routes"), [...sections].map(([tag, rows]) => section(tag, rows)));
});
