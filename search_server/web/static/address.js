// What a page shows stands in its address: a link shows the same, and the browser's back button goes back.

/** Return one value of the address; null where it is not there. */
export function addressValue(name) {
  return new URLSearchParams(location.search).get(name);
}

/** Write values into the address; `null` takes one out. A step is one that the back button undoes. */
export function remember(values, isStep = true) {
  const address = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === "") address.delete(name);
    else address.set(name, value);
  }
  const query = address.toString().replaceAll("%2C", ",").replaceAll("%2F", "/"); // both may stand as they are
  const target = location.pathname + (query ? `?${query}` : "");
  if (target !== location.pathname + location.search) history[isStep ? "pushState" : "replaceState"](null, "", target);
}

/** Do something whenever the back or forward button has changed the address. */
export function onBack(step) {
  addEventListener("popstate", step);
}
