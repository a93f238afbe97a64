// What was measured again and again, over time, as SVG: points with their intervals.

import { s, scale, short, ticks } from "./charts.js";
import { utc } from "./format.js";

const HEIGHT = 240, TOP = 14, BOTTOM = 30, LEFT = 58, RIGHT = 16;
const PER_TICK = 150; // pixels for a date with its hour

/**
 * Draw points into an element, again whenever its width changes. A point is `{at, y, low, high, name, isChosen}`;
 * `at` is an ISO time, `low` and `high` an interval of `y`.
 */
export function drawTimes(element, points, yName) {
  element.redraw = () => element.replaceChildren(chart(element, points, yName));
  if (!element.watcher) {
    element.watcher = new ResizeObserver(() => element.redraw());
    element.watcher.observe(element);
  } else element.redraw();
}

function chart(element, points, yName) {
  const width = Math.max(element.clientWidth, 240);
  const times = points.map(({ at }) => Date.parse(at)), first = Math.min(...times), last = Math.max(...times);
  const values = points.flatMap(({ y, low, high }) => [y, low, high]), low = Math.min(...values), high = Math.max(...values);
  const room = 0.08 * (high - low || high || 1);
  const placeX = scale(first, last, LEFT + 12, width - RIGHT - 12), placeY = scale(low - room, high + room, HEIGHT - BOTTOM, TOP);
  const numTicks = Math.max(2, Math.min(6, Math.floor((width - LEFT) / PER_TICK)));
  const moments = Array.from({ length: last > first ? numTicks : 1 }, (_, index) => first + (last - first) * index / Math.max(1, numTicks - 1));
  const told = points.map(({ at, name, y }) => `${utc(at)}: ${short(y)}${name ? ` (${name})` : ""}`);
  return s("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${yName} over time. ${told.join("; ")}` },
    ...ticks(low - room, high + room).flatMap((value) => [
      s("line", { class: "rule", x1: LEFT, x2: width - RIGHT, y1: placeY(value), y2: placeY(value) }),
      s("text", { class: "left tick", x: LEFT - 8, y: placeY(value) + 4 }, short(value))]),
    s("text", { class: "tick axis", transform: `translate(13 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)` }, yName),
    ...moments.map((moment) => utc(new Date(moment)).slice(0, 16)).map((words, index, all) => words !== all[index - 1] && s("text", {
      class: index === 0 ? "right tick" : index === moments.length - 1 ? "left tick" : "tick", x: placeX(moments[index]), y: HEIGHT - 8,
    }, words)).filter(Boolean),
    s("g", { class: "curve curve-1" }, s("path", { d: points.map(({ y }, index) => `${index ? "L" : "M"}${placeX(times[index]).toFixed(1)},${placeY(y).toFixed(1)}`).join("") })),
    ...points.map((point, index) => dot(point, placeX(times[index]), placeY, told[index])));
}

function dot({ y, low, high, isChosen }, x, placeY, words) {
  return s("g", { class: `dot${isChosen ? " found" : ""}` },
    s("path", { class: "interval", d: `M${x},${placeY(low)}V${placeY(high)}M${x - 4},${placeY(low)}h8M${x - 4},${placeY(high)}h8` }),
    s("circle", { cx: x, cy: placeY(y), r: isChosen ? 7 : 5 }), s("title", {}, words));
}
