// The network that a table's page is about: one block for each layer, remembered in the address.

import { addressValue, remember } from "./address.js";

const ANCHOR_BLOCK = "k3_e3"; // the page opens with the anchor network, where the space has this block

/**
 * Return the choice of a network among a table's cells. `named` are the known networks; `onchange` is called
 * after each change.
 */
export function makeChoice(cells, named, onchange) {
  const layers = [...new Set(cells.filter(({ block }) => block).map(({ layer }) => layer))];
  const cellAt = new Map(cells.map((cell) => [`${cell.layer}/${cell.block}`, cell]));
  const chosen = new Map(); // layer -> block

  function byDefault() {
    for (const cell of cells) {
      const isKnown = cell.block && cell.latency_us !== null;
      if (isKnown && (!chosen.has(cell.layer) || cell.block === ANCHOR_BLOCK)) chosen.set(cell.layer, cell.block);
    }
  }

  /** Take over blocks as a text, if they are a network of this space. */
  function take(text) {
    const all = (named.find(({ name }) => name === text)?.architecture ?? text).split(",");
    if (all.length !== layers.length || layers.some((layer, index) => !cellAt.has(`${layer}/${all[index]}`))) return;
    for (const [index, layer] of layers.entries()) chosen.set(layer, all[index]);
  }

  const blocks = () => layers.map((layer) => chosen.get(layer) ?? "?").join(",");
  const name = () => named.find(({ architecture }) => architecture === blocks())?.name ?? null;
  const changed = () => {
    remember({ network: name() ?? blocks() });
    onchange();
  };

  function read() {
    chosen.clear();
    byDefault();
    const text = addressValue("network");
    if (text) take(text);
  }
  read();

  return {
    layers, cellAt, blocks, name, read,
    has: (cell) => chosen.get(cell.layer) === cell.block,
    choose(cell) { chosen.set(cell.layer, cell.block); changed(); },
    chooseAll(text) { take(text); changed(); },
    /** Stem, one cell a layer, head; undefined where a layer has no cell. */
    cells: () => [...cells.filter(({ block }) => !block), ...layers.map((layer) => cellAt.get(`${layer}/${chosen.get(layer)}`))],
  };
}
