// Curves over epochs, as SVG in the page's own colours.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 260, TOP = 26, BOTTOM = 34, SIDE = 52, NO_AXIS = 14, LINE_HEIGHT = 15;

/** Return an SVG element. */
export function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Return about `count` round numbers that cover `low` to `high`. */
export function ticks(low, high, count = 5) {
  const rough = (high - low || Math.abs(high) || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, index) => (first + index) * step);
}

/** A number with up to four significant digits. */
export const short = (value) => String(Number(value.toPrecision(4)));

/** Return the straight line from `from`..`to` to `start`..`end`. */
export function scale(from, to, start, end) {
  return (value) => start + (value - from) / (to - from || 1) * (end - start);
}

/** Values from zero to the largest, with room for a target. */
function valueScale(curves, target) {
  const values = curves.flatMap(({ y }) => y).filter((value) => value !== null);
  const high = values.reduce((most, value) => Math.max(most, value), target ?? 0) * 1.05 || 1;
  const low = values.reduce((least, value) => Math.min(least, value), 0);
  return { low, high, place: scale(low, high, HEIGHT - BOTTOM, TOP) };
}

function line({ x, y }, placeX, placeY, index) {
  let path = "", pen = "M";
  for (let i = 0; i < x.length; i += 1) {
    if (y[i] === null) { pen = "M"; continue; } // a step without this value leaves a gap
    path += `${pen}${placeX(x[i]).toFixed(1)},${placeY(y[i]).toFixed(1)}`;
    pen = "L";
  }
  const dots = x.length > 1 ? [] : x.map((value, i) => s("circle", { cx: placeX(value), cy: placeY(y[i] ?? 0), r: 4 }));
  return s("g", { class: `curve curve-${index + 1}` }, s("path", { d: path }), ...dots);
}

function valueAxis({ low, high, place }, end, isRight) {
  const x = isRight ? end + 8 : SIDE - 8;
  return ticks(low, high).flatMap((value) => [
    ...(isRight ? [] : [s("line", { class: "rule", x1: SIDE, x2: end, y1: place(value), y2: place(value) })]),
    s("text", { class: isRight ? "right tick" : "left tick", x, y: place(value) + 4 }, short(value)),
  ]);
}

/**
 * Draw curves into an element, and again whenever its width changes. A curve is `{name, x, y, second}`;
 * `second` puts it on a right axis. `target` is a value that gets a dashed line of its own.
 */
export function drawCurves(element, curves, options = {}) {
  element.redraw = () => element.replaceChildren(chart(element, curves, options));
  if (!element.watcher) {
    element.watcher = new ResizeObserver(() => element.redraw());
    element.watcher.observe(element);
  } else element.redraw();
}

function chart(element, curves, { target = null, targetName = "target" }) {
  const width = Math.max(element.clientWidth, 200);
  const x = [Math.min(...curves.map((curve) => curve.x[0])), Math.max(...curves.map((curve) => curve.x.at(-1)))];
  const second = curves.filter((curve) => curve.second);
  const end = width - (second.length ? SIDE : NO_AXIS);
  const placeX = scale(...x, SIDE, end);
  const left = valueScale(curves.filter(({ second }) => !second), target);
  const right = second.length ? valueScale(second, null) : null;
  const ends = curves.map(({ name, y }) => `${name}: ${short(y.findLast((value) => value !== null) ?? NaN)} at the end`);
  const picture = s("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": ends.join(", ") },
    ...valueAxis(left, end, false), ...(right ? valueAxis(right, end, true) : []),
    ...ticks(...x, Math.max(2, width / 60)).filter(Number.isInteger).map((value) =>
      s("text", { class: "tick", x: placeX(value), y: HEIGHT - BOTTOM + 16 }, String(value))),
    s("text", { class: "tick", x: width / 2, y: HEIGHT - 3 }, "epoch"),
    ...curves.map((curve, index) => line(curve, placeX, curve.second ? right.place : left.place, index)),
    ...(target === null ? [] : [
      s("line", { class: "target", x1: SIDE, x2: end, y1: left.place(target), y2: left.place(target) }),
      s("text", { class: "target-name", x: end, y: left.place(target) + LINE_HEIGHT }, targetName)]));
  let at = SIDE;
  for (const [index, { name }] of curves.entries()) {
    picture.append(s("g", { class: `curve curve-${index + 1}` }, s("path", { d: `M${at},12h18` })),
      s("text", { class: "name", x: at + 24, y: 16 }, name));
    at += 44 + 7 * name.length;
  }
  picture.append(readout(picture, curves, placeX));
  return picture;
}

/** The values under the pointer. */
function readout(picture, curves, placeX) {
  const mark = s("g", { class: "readout", visibility: "hidden" });
  const longest = curves.reduce((most, curve) => (curve.x.length > most.x.length ? curve : most));
  picture.addEventListener("pointerleave", () => mark.setAttribute("visibility", "hidden"));
  picture.addEventListener("pointermove", (event) => {
    const nearest = ({ x }) => x.reduce((best, value, index) =>
      (Math.abs(placeX(value) - event.offsetX) < Math.abs(placeX(x[best]) - event.offsetX) ? index : best), 0);
    const { x } = longest;
    const epoch = x[nearest(longest)], at = placeX(epoch);
    const lines = [`epoch ${epoch}`, ...curves.map((curve) => [curve, nearest(curve)])
      .filter(([curve, index]) => curve.y[index] !== null)
      .map(([{ name, y }, index]) => `${name} ${short(y[index])}`)];
    const wide = 16 + 7 * Math.max(...lines.map(({ length }) => length));
    const start = at + wide + 8 > picture.clientWidth ? at - wide - 8 : at + 8;
    mark.replaceChildren(s("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM }),
      s("rect", { x: start, y: TOP, width: wide, height: 10 + LINE_HEIGHT * lines.length, rx: 5 }),
      ...lines.map((words, index) => s("text", { x: start + 8, y: TOP + LINE_HEIGHT * (index + 1) }, words)));
    mark.setAttribute("visibility", "visible");
  });
  return mark;
}
