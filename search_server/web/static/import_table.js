// A table that another program measured, sent from the page as a file.

import { act, send } from "./api.js";
import { byId, enable } from "./dom.js";

const WHOLE_NETWORKS = "whole-network-csv"; // these become measurements, not a table

/** Let the form of the page import a file; then the page of the new table opens. */
export function offerImport() {
  const form = byId("import-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form.querySelector("button[type='submit']"), () => importFile(new FormData(form)));
  });
  enable(form);
}

async function importFile(values) {
  const format = values.get("format");
  const query = new URLSearchParams({ device: values.get("device").trim() });
  for (const name of ["space", "runtime"]) if (values.get(name).trim()) query.set(name, values.get(name).trim());
  if (query.has("runtime")) for (const name of ["threads", "dtype", "batch", "accelerator"]) if (values.get(name).trim()) query.set(name, values.get(name).trim());
  if (values.has("private")) query.set("private", "true");
  if (format === WHOLE_NETWORKS) {
    const { job, latencies } = await send("POST", `/measurements/import?${query}`, values.get("file"));
    byId("import-news").textContent = `${latencies.length} networks of ${job.device_name} are stored; the page of a table of ${job.space} shows those measured beside it.`;
    return;
  }
  query.set("format", format);
  const { summary } = await send("POST", `/latency-tables/import?${query}`, values.get("file"));
  location.assign(`/tables/${summary.snapshot}`);
}
