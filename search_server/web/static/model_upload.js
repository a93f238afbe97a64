// A model file on its way to the server: hashed, sent in parts from where the server stands, checked there.

import { get, send } from "./api.js";
import { count } from "./format.js";
import { sha256 } from "./sha256.js";

/**
 * Send a file and have it kept under a name; `told(step, share, words)` says how far each of the steps "read", "send"
 * and "check" is. Whoever was cut off goes on where the server stands. Returns the model.
 */
export async function addModel(file, name, format, partBytes, told) {
  const hash = await sha256(file, (share) => told("read", share, `Reading ${file.name}`));
  told("read", 1, `Read: ${count(file.size)} bytes, SHA-256 ${hash.slice(0, 12)}…`);
  const path = `/models/uploads/${hash}`;
  const { received_bytes: received, is_stored: isStored } = await get(path);
  for (let at = isStored ? file.size : received; at < file.size; at += partBytes) {
    told("send", at / file.size, `Sending: ${count(at)} of ${count(file.size)} bytes`);
    await send("PUT", `${path}?offset=${at}`, file.slice(at, at + partBytes));
  }
  told("send", 1, isStored ? "Not sent: the server has this file already" : received ? `Sent, from byte ${count(received)} on; the server had the rest` : "Sent");
  told("check", 0, "The server checks it, without running it");
  const model = await send("POST", "/models", { name, format, sha256: hash, size_bytes: file.size });
  const { facts } = model;
  told("check", 1, `Checked without running it: ${model.format}, ${facts.version}, ${facts.dtype}, ${count(facts.num_nodes)} nodes, ${
    count(facts.num_params)} parameters; it needs no other file, and no operator of its own`);
  return model;
}

/** Return a file's format by its name's ending; null: it is none of these. */
export function formatOf(file, formats) {
  return formats.find((format) => file.name.toLowerCase().endsWith(`.${format}`)) ?? null;
}

/** Return what a file's name suggests as the name of a model. */
export function suggestedName(file) {
  return file.name.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 100);
}
