// Many samples of one time, as SVG: how they are distributed, and in which order they came.

import { s, scale, ticks } from "./charts.js";
import { microseconds } from "./format.js";

// As wide as the drawer at most: letters keep their size on a phone.
const WIDTH = Math.min(640, Math.max(300, document.documentElement.clientWidth - 48));
const HEIGHT = 190, TOP = 18, BOTTOM = 36, LEFT = 52, RIGHT = 12;
const FEWEST_BINS = 6, MOST_BINS = 40;
const SHOWN_SHARE = 0.98; // a few samples that were disturbed do not press the others together
const APART = 28, EDGE = 12; // so that names of near percentiles neither cover each other nor are cut

/** The range that is drawn: from the smallest sample to that which 98 % do not exceed. */
function drawnRange(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const low = sorted[0], high = sorted[Math.ceil(SHOWN_SHARE * sorted.length) - 1];
  const room = (high - low || high * 0.02 || 1) * 0.04;
  return [Math.max(0, low - room), high + room];
}

function frame(label, ...parts) {
  return s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label, class: "spread" }, ...parts.flat());
}

/** Return a histogram with marks at the tenth, fiftieth and ninetieth percentile. */
export function histogram(samples, { p10_us: p10, p50_us: p50, p90_us: p90 }) {
  const [low, high] = drawnRange(samples);
  const numBins = Math.min(MOST_BINS, Math.max(FEWEST_BINS, Math.round(Math.sqrt(samples.length))));
  const bins = Array.from({ length: numBins }, () => 0);
  const inside = samples.filter((value) => value <= high);
  for (const value of inside) bins[Math.min(numBins - 1, Math.floor((value - low) / (high - low) * numBins))] += 1;
  const most = Math.max(...bins);
  const placeX = scale(low, high, LEFT, WIDTH - RIGHT), placeY = scale(0, most, HEIGHT - BOTTOM, TOP);
  const step = (WIDTH - RIGHT - LEFT) / numBins;
  const beyond = samples.length - inside.length;
  const middle = Math.min(placeX(p50), WIDTH - APART - EDGE);
  return frame(`Distribution: most of ${samples.length} samples from ${microseconds(p10)} to ${microseconds(p90)} µs, median ${microseconds(p50)} µs`,
    ticks(0, most, 3).filter(Number.isInteger).flatMap((value) => [
      s("line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: placeY(value), y2: placeY(value) }),
      s("text", { class: "left tick", x: LEFT - 6, y: placeY(value) + 4 }, String(value))]),
    bins.map((number, index) => s("rect", { class: "bin", x: LEFT + index * step + 0.5, width: Math.max(1, step - 1), y: placeY(number), height: HEIGHT - BOTTOM - placeY(number) })),
    [["p10", p10, Math.min(placeX(p10), middle - APART)], ["p50", p50, middle], ["p90", p90, Math.max(placeX(p90), middle + APART)]].filter(([, value]) => value <= high).flatMap(([name, value, at]) => [
      s("line", { class: "target", x1: placeX(value), x2: placeX(value), y1: TOP, y2: HEIGHT - BOTTOM }),
      s("text", { class: "tick", x: Math.min(at, WIDTH - EDGE), y: TOP - 6 }, name)]),
    valueTicks(low, high, placeX), s("text", { class: "tick", x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4 },
      `µs, number of samples${beyond ? `; ${beyond} beyond the right edge` : ""}`));
}

function valueTicks(low, high, placeX) {
  return ticks(low, high, 5).map((value) => s("text", { class: "tick", x: placeX(value), y: HEIGHT - BOTTOM + 16 }, microseconds(value)));
}

/** Return the samples in the order in which they ran; `windows` are lists of them, told apart by their shade. */
export function runOrder(windows) {
  const samples = windows.flat();
  const [low, high] = drawnRange(samples);
  const placeX = scale(0, samples.length - 1, LEFT, WIDTH - RIGHT), placeY = scale(low, high, HEIGHT - BOTTOM, TOP);
  let index = 0;
  const dots = windows.map((window, place) => {
    const path = window.map((value) => {
      const at = `M${placeX(index).toFixed(1)},${placeY(Math.min(value, high)).toFixed(1)}h0`;
      index += 1;
      return at;
    });
    return s("path", { class: `run run-${place % 2}`, d: path.join("") });
  });
  return frame(`Order: ${samples.length} samples in ${windows.length} windows, ${microseconds(Math.min(...samples))} to ${microseconds(Math.max(...samples))} µs`,
    ticks(low, high, 4).flatMap((value) => [
      s("line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: placeY(value), y2: placeY(value) }),
      s("text", { class: "left tick", x: LEFT - 6, y: placeY(value) + 4 }, microseconds(value))]),
    dots, s("text", { class: "tick", x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 12 }, "runs in their order; the shade changes with the window"));
}
