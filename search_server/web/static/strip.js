// A network as a strip of blocks: colour for the kernel, height for the expansion, words for both.

import { h } from "./dom.js";

const BLOCK = /^k(\d)_(?:sep|e(\d)(?:_g(\d+))?)$/;
const MOST_EXPANSION = 6;

/** Return the blocks of a network from left to right; those that differ from `other` are marked. */
export function blockStrip(architecture, name, other = null) {
  const blocks = architecture.split(","), others = other?.split(",");
  const list = h("ol", { class: "strip", "aria-label": `Blocks of ${name}, layer by layer` });
  for (const [index, block] of blocks.entries()) {
    const isOther = others && others[index] !== block;
    const [, kernel, expansion, groups] = BLOCK.exec(block) ?? [];
    const words = kernel ? [`k${kernel}`, expansion ? `e${expansion}` : "sep", groups ? `g${groups}` : ""] : [block];
    const bar = h("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--height", String(kernel ? (expansion ?? 1) / MOST_EXPANSION : 0));
    list.append(h("li", {
      class: `${kernel ? `k${kernel}` : "skip"}${isOther ? " differs" : ""}`,
      title: `layer${String(index + 1).padStart(2, "0")}: ${block}${isOther ? `, there ${others[index]}` : ""}`,
    }, bar, words.filter(Boolean).map((word) => h("span", {}, word)), isOther ? h("span", { class: "visually-hidden" }, "differs") : null));
  }
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": `Blocks of ${name}` }, list);
}

/** Return the words that explain a strip. */
export function stripLegend() {
  return h("p", { class: "hint strip-legend" }, ["3", "5", "7"].map((kernel) => [h("i", { class: `k${kernel}` }), ` kernel ${kernel} `]).flat(),
    "· height: expansion e1 to e6 · skip: the layer is left out");
}
