// Sign-in: a pasted token, or one behind '#' in the address, is swapped for a cookie.

import { attempt, ApiError } from "./api.js";
import { byId, enable } from "./dom.js";

async function signIn(token) {
  const response = await fetch("/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new ApiError(response.status, body);
  }
  location.replace(nextPage());
}

// Only a path of this site: the address may come from anywhere.
function nextPage() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  return /^\/(?![/\\])/.test(next) ? next : "/";
}

const fromAddress = new URLSearchParams(location.hash.slice(1)).get("token");
if (fromAddress) {
  history.replaceState(null, "", location.pathname + location.search);
  attempt(() => signIn(fromAddress));
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(() => signIn(byId("token").value.trim()));
});
enable(byId("sign-in"));
