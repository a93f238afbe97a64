// What an owner changes of a device: its name, its tags, where it is called, its credential; and how it leaves.

import { act, actButton, ApiError, mayChange, send } from "./api.js";
import { field, h } from "./dom.js";
import { clearErrors, namedField, showErrors } from "./field_errors.js";

/** Return the folded form; null where the person may not change the device. `done` is called after a change. */
export async function settingsForm(device, done) {
  if (!(await mayChange(device.owner))) return null;
  const path = `/devices/${device.device_id}`, save = h("button", { type: "submit" }, "Save");
  const form = h("form", { autocomplete: "off", novalidate: true },
    field("Name", h("input", { name: "name", value: device.name, spellcheck: "false" }), "Commands take it in place of the id."),
    field("Tags", h("input", { name: "add_tags", value: device.tags.join(" "), spellcheck: "false" }), "Words with spaces between them; commands choose several devices by one."),
    device.is_imported ? null : field("Called at", h("input", { name: "agent_url", value: device.agent_url ?? "", spellcheck: "false", placeholder: "http://10.0.0.7:8700" }),
      "For an agent that listens; empty: it dials out."),
    h("p", { class: "row" }, save));
  const details = h("details", { class: "form" }, h("summary", {}, "Settings…"), form,
    device.is_imported ? null : h("p", { class: "row" }, actButton("Renew its credential", async () => { await send("POST", `${path}/rotate`); await done(); }, { class: "quiet" })),
    h("details", {}, h("summary", {}, "Remove…"), h("p", {}, "Its credential ends at once and its jobs are cancelled; what was measured stays."),
      h("p", { class: "row" }, actButton(`Remove ${device.name}`, async () => { await send("DELETE", path); await done(); }, { class: "quiet" }))));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(save, async () => {
      clearErrors(form);
      try {
        await send("PATCH", path, changes(new FormData(form), device));
      } catch (error) {
        const words = showErrors(error, (fault) => namedField(form, fault));
        form.querySelector("[aria-invalid]")?.focus();
        throw new ApiError(error.status, { detail: words || "Not saved: see what stands at the field." });
      }
      details.open = false;
      details.querySelector("summary").focus();
      await done();
    });
  });
  return details;
}

/** What was changed, and nothing else. */
function changes(values, device) {
  const tags = values.get("add_tags").split(/\s+/).filter(Boolean), name = values.get("name").trim();
  const url = values.get("agent_url")?.trim() ?? "";
  return {
    ...(name === device.name ? {} : { name }), ...(url === (device.agent_url ?? "") ? {} : { agent_url: url }),
    add_tags: tags.filter((tag) => !device.tags.includes(tag)), remove_tags: device.tags.filter((tag) => !tags.includes(tag)),
  };
}
