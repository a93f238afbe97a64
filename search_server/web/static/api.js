// The REST interface, used with the browser's session: what is read, and what a button changes.

import { byId, h } from "./dom.js";

/** An answer that is not what was asked for; the message is the server's own sentence. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body.detail ?? `status ${status}`);
    this.status = status;
    this.type = body.type ?? "";
    this.errors = body.errors ?? []; // of fields: {path, message}
  }
}

/** Send a request to this server. Without a session the browser goes to the sign-in page. */
async function ask(address, options = {}) {
  let response;
  try {
    response = await fetch(address, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch {
    throw new ApiError(0, { detail: "The server does not answer; is 'search-server serve' running?" });
  }
  if (response.status === 401) {
    location.replace(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    return new Promise(() => {});
  }
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({})));
  return response.status === 204 ? null : response.json();
}

/** Return one resource of `/api/v1`. */
export function get(path) {
  return ask(`/api/v1${path}`);
}

let session = null;

/** Return who is signed in: `{user, is_admin, csrf_token}`. */
export function signedIn() {
  session ??= ask("/session");
  return session;
}

/** Return whether the person may change a thing of this owner. */
export async function mayChange(owner) {
  const { user, is_admin } = await signedIn();
  return is_admin || user === owner;
}

/** Change something: `send("POST", "/searches", {...})`; a Blob is sent as it is. Returns the answer. */
export async function send(method, path, body = undefined) {
  const { csrf_token } = await signedIn();
  const type = body === undefined ? {} : { "Content-Type": body instanceof Blob ? "application/octet-stream" : "application/json" };
  try {
    return await ask(`/api/v1${path}`, {
      method,
      headers: { "X-Edgenas-CSRF": csrf_token, ...type },
      body: body === undefined || body instanceof Blob ? body : JSON.stringify(body),
    });
  } catch (error) {
    if (error.type === "wrong_csrf_token") session = null; // somebody signed in again: press once more
    throw error;
  }
}

/**
 * Do what a button is for. While it lasts the button is busy and keeps the focus; what goes wrong stands in
 * words beside it. Returns whether it succeeded.
 */
export async function act(button, step) {
  if (button.ariaDisabled === "true") return false;
  const words = button.nextElementSibling?.matches(".beside") ? button.nextElementSibling
    : h("span", { class: "failure beside", role: "alert" });
  words.textContent = "";
  button.after(words);
  button.ariaDisabled = "true";
  try {
    await step();
    return true;
  } catch (error) {
    words.textContent = error.message;
    if (!(error instanceof ApiError)) throw error;
    return false;
  } finally {
    button.ariaDisabled = null;
  }
}

/** Return a button that does something when it is pressed. */
export function actButton(text, step, attributes = {}) {
  return h("button", { type: "button", ...attributes, onclick: ({ currentTarget }) => act(currentTarget, step) }, text);
}

/** Return all items of a paged list, up to `most`. */
export async function list(path, most = 500) {
  const items = [];
  let cursor = null;
  do {
    const joint = path.includes("?") ? "&" : "?";
    const page = await get(cursor ? `${path}${joint}cursor=${encodeURIComponent(cursor)}` : path);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return items;
}

/** Run a page's main function; say on the page what goes wrong. */
export async function run(main) {
  byId("sign-out")?.addEventListener("click", async () => {
    await fetch("/session", { method: "DELETE" });
    location.assign("/login");
  });
  const audit = byId("audit-link"); // only administrators read it
  if (audit) signedIn().then(({ is_admin }) => { audit.hidden = !is_admin; }, () => {});
  const error = await attempt(main);
  // What the address names does not exist: nothing but that is said.
  if (error?.status === 404) for (const part of document.querySelectorAll("main > :not(#notice)")) part.hidden = true;
}

/** Run a step; show its error in the notice and return it, or take the notice away when it succeeds. */
export async function attempt(step) {
  const notice = byId("notice");
  try {
    await step();
    notice.hidden = true;
    return null;
  } catch (error) {
    notice.replaceChildren(h("strong", {}, "That did not work. "), error.message);
    notice.hidden = false;
    for (const waiting of document.querySelectorAll(".loading")) waiting.remove();
    if (!(error instanceof ApiError)) throw error;
    return error;
  }
}

/** Repeat a step while the page is visible. */
export function repeat(step, periodMs) {
  setInterval(() => { if (!document.hidden) attempt(step); }, periodMs);
}
