// A network as a strip of blocks: colour for the kernel, height for the expansion, words for both.

import { h } from "./dom.js";

const BLOCK = /^(?:d(\d)_)?(?:k(\d)_?)?(?:sep|c(\d)|e([\d.]+)(?:_g(\d+))?)(_se)?(?:_(hs|r6))?$/;
const MOST = 6;

/** Return the blocks of a network from left to right; those that differ from `other` are marked. */
export function blockStrip(architecture, name, other = null) {
  const blocks = architecture.split(","), others = other?.split(",");
  const list = h("ol", { class: "strip", "aria-label": `Blocks of ${name}, layer by layer` });
  for (const [index, block] of blocks.entries()) {
    const isOther = others && others[index] !== block;
    const parts = BLOCK.exec(block);
    const [, first, middle, choice, expansion] = parts ?? [];
    const kernel = middle ?? first; // an FFN has none
    const words = parts ? block.split("_") : [block];
    const bar = h("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--height", String(parts ? Math.min(1, (expansion ?? choice ?? 1) / MOST) : 0));
    list.append(h("li", {
      class: `${kernel ? `k${kernel}` : parts ? "k1" : "skip"}${isOther ? " differs" : ""}`,
      title: `layer${String(index + 1).padStart(2, "0")}: ${block}${isOther ? `, there ${others[index]}` : ""}`,
    }, bar, words.map((word) => h("span", {}, word)), isOther ? h("span", { class: "visually-hidden" }, "differs") : null));
  }
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": `Blocks of ${name}` }, list);
}

/** Return the words that explain a strip. */
export function stripLegend() {
  return h("p", { class: "hint strip-legend" }, ["3", "5", "7"].map((kernel) => [h("i", { class: `k${kernel}` }), ` kernel ${kernel} `]).flat(),
    "· height: expansion e1 to e6, or choice of inner channels c1, c2, ... · d: a depthwise convolution first · se: squeeze-and-excite · skip: the layer is left out");
}
