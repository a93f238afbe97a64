// The REST interface, read with the browser's session; errors are shown in the page's notice.

import { byId, h } from "./dom.js";

/** An answer that is not what was asked for; the message is the server's own sentence. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Return one resource of `/api/v1`. Without a session the browser goes to the sign-in page. */
export async function get(path) {
  let response;
  try {
    response = await fetch(`/api/v1${path}`, { headers: { Accept: "application/json" } });
  } catch {
    throw new ApiError(0, "The server does not answer; is 'search-server serve' running?");
  }
  if (response.status === 401) {
    location.replace(`/login?next=${encodeURIComponent(location.pathname)}`);
    return new Promise(() => {});
  }
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new ApiError(response.status, body.detail ?? `status ${response.status}`);
  }
  return response.json();
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
  await attempt(main);
}

/** Run a step; show its error in the notice, and take the notice away when it succeeds. */
export async function attempt(step) {
  const notice = byId("notice");
  try {
    await step();
    notice.hidden = true;
  } catch (error) {
    notice.replaceChildren(h("strong", {}, "That did not work. "), error.message);
    notice.hidden = false;
    for (const waiting of document.querySelectorAll(".loading")) waiting.remove();
    if (!(error instanceof ApiError)) throw error;
  }
}

/** Repeat a step while the page is visible. */
export function repeat(step, periodMs) {
  setInterval(() => { if (!document.hidden) attempt(step); }, periodMs);
}
