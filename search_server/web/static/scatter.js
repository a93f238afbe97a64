// Points in a plane, as SVG: accuracy against latency with the front, predicted against measured.

import { s, scale, short, ticks } from "./charts.js";

const HEIGHT = 300, TOP = 16, BOTTOM = 44, LEFT = 62, RIGHT = 18, SIZE = 6;
const LETTER = 6.6, LINE = 14;

/** Each kind has a shape of its own, so that colour is not the only cue. */
const SHAPES = {
  found: (x, y) => s("circle", { cx: x, cy: y, r: SIZE + 1 }),
  sampled: (x, y) => s("circle", { cx: x, cy: y, r: SIZE - 2 }),
  front: (x, y) => s("circle", { cx: x, cy: y, r: SIZE - 1 }),
  uniform: (x, y) => s("rect", { x: x - SIZE + 1, y: y - SIZE + 1, width: 2 * SIZE - 2, height: 2 * SIZE - 2 }),
  random: (x, y) => s("path", { d: `M${x},${y - SIZE}l${SIZE},${1.8 * SIZE}h${-2 * SIZE}z` }),
  most_macs: (x, y) => s("path", { d: `M${x},${y - SIZE - 1}l${SIZE + 1},${SIZE + 1}l${-SIZE - 1},${SIZE + 1}l${-SIZE - 1},${-SIZE - 1}z` }),
};

/**
 * Draw points into an element, again whenever its width changes. A point is `{x, y, low, high, kind, name}`,
 * `low` and `high` an interval of x. `target`: a dashed line at an x; `isDiagonal`: a line where x equals y;
 * `hasFront`: a line through the points that none beats on both axes; `isLog`: both axes are logarithmic;
 * `summary`: what a screen reader hears in place of each point. A point with `isQuiet` gets no name beside it.
 */
export function drawScatter(element, points, options) {
  element.redraw = () => element.replaceChildren(chart(element, points, options));
  if (!element.watcher) {
    element.watcher = new ResizeObserver(() => element.redraw());
    element.watcher.observe(element);
  } else element.redraw();
}

function range(values) {
  const low = Math.min(...values), high = Math.max(...values);
  const room = (high - low || Math.abs(high) || 1) * 0.12;
  return [low - room, high + room];
}

function logRange(values) {
  const low = Math.min(...values), high = Math.max(...values);
  const room = (high / low) ** 0.06 * 1.05;
  return [low / room, high * room];
}

function logScale(from, to, start, end) {
  const place = scale(Math.log(from), Math.log(to), start, end);
  return (value) => place(Math.log(value));
}

/** Round numbers between two bounds: 1, 2 and 5 of each power of ten, or the powers alone where these are many. */
function logTicks(low, high) {
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 }, (_, index) => 10 ** (Math.floor(Math.log10(low)) + index));
  const steps = powers.length > 3 ? [1] : [1, 2, 5];
  return powers.flatMap((power) => steps.map((step) => step * power)).filter((value) => low <= value && value <= high);
}

function chart(element, points, { xName, yName, target = null, isDiagonal = false, hasFront = false, isLog = false, summary = null }) {
  const width = Math.max(element.clientWidth, 240);
  const known = (values) => values.filter((value) => value !== null && value !== undefined);
  const around = isLog ? logRange : range;
  let xs = around(known([...points.flatMap(({ x, low, high }) => [x, low, high]), target]));
  let ys = around(points.map(({ y }) => y));
  if (isDiagonal) xs = ys = [Math.min(xs[0], ys[0]), Math.max(xs[1], ys[1])];
  const along = isLog ? logScale : scale, marks = isLog ? logTicks : ticks;
  const placeX = along(...xs, LEFT, width - RIGHT), placeY = along(...ys, HEIGHT - BOTTOM, TOP);
  const corner = [Math.max(xs[0], ys[0]), Math.min(xs[1], ys[1])];
  const words = summary ?? points.map(({ name, x, y }) => `${name}: ${short(x)}, ${short(y)}`).join("; ");
  return s("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${yName} against ${xName}. ${words}` },
    ...marks(...ys).map((value) => s("line", { class: "rule", x1: LEFT, x2: width - RIGHT, y1: placeY(value), y2: placeY(value) })),
    ...marks(...ys).map((value) => s("text", { class: "left tick", x: LEFT - 8, y: placeY(value) + 4 }, short(value))),
    ...marks(...xs, Math.max(2, width / 110)).map((value) => s("text", { class: "tick", x: placeX(value), y: HEIGHT - BOTTOM + 18 }, short(value))),
    s("text", { class: "tick axis", x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 6 }, xName),
    s("text", { class: "tick axis", transform: `translate(13 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)` }, yName),
    ...(target === null ? [] : [
      s("line", { class: "target", x1: placeX(target), x2: placeX(target), y1: TOP, y2: HEIGHT - BOTTOM }),
      s("text", { class: "target-name", x: placeX(target) - 5, y: TOP + 10 }, `target ${short(target)}`)]),
    ...(isDiagonal ? [s("path", { class: "diagonal", d: `M${placeX(corner[0])},${placeY(corner[0])}L${placeX(corner[1])},${placeY(corner[1])}` })] : []),
    ...(hasFront ? [s("path", { class: "front-line", d: frontPath(points, placeX, placeY) })] : []),
    ...points.map((point) => dot(point, placeX, placeY)),
    ...names(points, placeX, placeY, width, target));
}

function dot({ x, y, low = null, high = null, kind, series = "", name }, placeX, placeY) {
  const at = [placeX(x), placeY(y)];
  const bar = low === null || high === null ? [] : [s("path", { class: "interval", d: `M${placeX(low)},${at[1]}H${placeX(high)}m0,-4v8M${placeX(low)},${at[1] - 4}v8` })];
  return s("g", { class: `dot ${kind} ${series}` }, ...bar, (SHAPES[kind] ?? SHAPES.front)(...at),
    s("title", {}, `${name}: ${short(x)}, ${short(y)}`));
}

/** The points that no other one beats on both axes, less x and more y being better. */
export function frontOf(points) {
  const front = [];
  for (const point of points.toSorted((a, b) => a.x - b.x || b.y - a.y)) {
    if (!front.length || point.y > front.at(-1).y) front.push(point);
  }
  return front;
}

function frontPath(points, placeX, placeY) {
  return frontOf(points).map(({ x, y }, index) => (index ? `H${placeX(x)}V${placeY(y)}` : `M${placeX(x)},${placeY(y)}`)).join("");
}

/** A name beside each point, where it covers neither a point nor another name. */
function names(points, placeX, placeY, width, target) {
  const taken = points.map(({ x, y }) => ({ x: placeX(x) - SIZE, y: placeY(y) - SIZE, w: 2 * SIZE, h: 2 * SIZE }));
  if (target !== null) taken.push({ x: placeX(target) - 90, y: TOP - 2, w: 90, h: LINE });
  return points.filter(({ isQuiet }) => !isQuiet).flatMap(({ x, y, name }) => {
    const w = LETTER * name.length, atX = placeX(x), atY = placeY(y);
    const boxes = [[atX + 11, atY - LINE / 2], [atX - 11 - w, atY - LINE / 2], [atX - w / 2, atY - SIZE - LINE - 2], [atX - w / 2, atY + SIZE + 2]]
      .map(([left, top]) => ({ x: left, y: top, w, h: LINE }));
    const box = boxes.find((one) => one.x >= LEFT && one.x + w <= width - RIGHT + 8 && !taken.some((other) =>
      one.x < other.x + other.w && other.x < one.x + w && one.y < other.y + other.h && other.y < one.y + LINE));
    if (!box) return []; // the point's own title and the table tell it
    taken.push(box);
    return [s("text", { class: "point-name", x: box.x, y: box.y + 11 }, name)];
  });
}
