// Add a device: one line with a fresh token in it, and the wait until the device appears.

import { act, send } from "./api.js";
import { byId, commandLine, enable, fill, h } from "./dom.js";

const HINTS = {
  board: "Type it in a shell on the device. As root the agent starts with the system; else the line says how to start it.",
  phone: "Type it in Termux, an app for Android; with the app Termux:Boot the agent starts with the phone.",
  container: "Type it in a clone of edgenas on the machine that runs Docker.",
};

let enrolment = null;
let knownBefore = null;

const kind = () => document.querySelector("#enrol input[name=kind]:checked").value;

function showLine() {
  if (!enrolment) return;
  fill(byId("line"), commandLine(enrolment[kind()]), h("p", { class: "hint" }, HINTS[kind()],
    ` The token in it works once, until ${new Date(enrolment.expires_at).toLocaleTimeString()}.`),
  enrolment.note ? h("p", { class: "hint" }, enrolment.note) : null);
}

/** Let the form ask for a line; `deviceIds` tells which devices are there now. */
export function listenForNew(deviceIds) {
  const form = byId("enrol").querySelector("form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(event.submitter, async () => {
      enrolment = await send("POST", "/enrolments");
      knownBefore = new Set(deviceIds());
      showLine();
      fill(byId("arrival"), h("span", { class: "badge busy" }, "waiting for the device; it appears here by itself"));
    });
  });
  for (const radio of document.querySelectorAll("#enrol input[name=kind]")) radio.addEventListener("change", showLine);
  enable(form);
}

/** Say so when a device has appeared that was not there when the line was made. */
export function noticeArrival(devices) {
  const arrived = knownBefore && devices.find((device) => !device.is_imported && !knownBefore.has(device.device_id));
  if (!arrived) return;
  [knownBefore, enrolment] = [null, null];
  fill(byId("line"));
  fill(byId("arrival"), h("span", { class: "badge good" }, `${arrived.name} has appeared. `),
    h("a", { href: `#${arrived.device_id}` }, "Profile a space on it"), " to get its first latency table.");
}
