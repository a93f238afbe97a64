// A small curve in a line of text: the course of one value, with its newest and its range in words.

import { scale, short, s } from "./charts.js";
import { h } from "./dom.js";

const WIDTH = 132, HEIGHT = 28, EDGE = 3;

/** Return the curve of some values with its unit; null where fewer than two are known. */
export function sparkline(name, values, unit) {
  const known = values.map((value, index) => [index, value]).filter(([, value]) => value !== null);
  if (known.length < 2) return null;
  const numbers = known.map(([, value]) => value);
  const low = Math.min(...numbers), high = Math.max(...numbers), newest = numbers.at(-1);
  const placeX = scale(0, values.length - 1, EDGE, WIDTH - EDGE);
  // A steady value is a line in the middle: noise of a few per mille does not fill the height.
  const room = Math.max(high - low, 0.02 * Math.abs(high)) / 2, middle = (low + high) / 2;
  const placeY = scale(middle - room, middle + room, HEIGHT - EDGE, EDGE);
  const path = known.map(([index, value], at) => `${at ? "L" : "M"}${placeX(index).toFixed(1)},${placeY(value).toFixed(1)}`);
  const words = `${short(newest)} ${unit}`;
  const range = `${short(low)} to ${short(high)} ${unit} in ${known.length} windows`;
  return h("div", { class: "spark" },
    s("svg", { width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${name}: now ${words}, ${range}` },
      s("path", { d: path.join("") }),
      s("circle", { cx: placeX(known.at(-1)[0]), cy: placeY(newest), r: 2.5 })),
    h("span", {}, words, " ", h("small", { class: "hint" }, range)));
}
