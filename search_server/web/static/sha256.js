// SHA-256 of a file, a part at a time: browsers offer theirs over https only, and many servers speak plain http.

const PART_BYTES = 4 << 20; // whole blocks of 64 bytes; some 30 ms of work, so that the page stays alive

const PRIMES = [];
for (let number = 2; PRIMES.length < 64; number += 1) {
  if (PRIMES.every((prime) => number % prime)) PRIMES.push(number);
}

/** The first 32 bits behind the point. */
const fraction = (root) => (root % 1) * 2 ** 32;
const CONSTANTS = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)) | 0);

/** Return the hash as 64 hex digits; `told` is called with the share that is done. */
export async function sha256(file, told = () => {}) {
  const state = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)) | 0);
  for (let at = 0; at < file.size; at += PART_BYTES) {
    const bytes = new Uint8Array(await file.slice(at, at + PART_BYTES).arrayBuffer());
    compress(state, bytes);
    if (at + PART_BYTES >= file.size) compress(state, lastBlocks(bytes, file.size));
    told(Math.min(1, (at + PART_BYTES) / file.size));
  }
  return [...new Uint32Array(state.buffer)].map((word) => word.toString(16).padStart(8, "0")).join("");
}

/** What is left of the last part, a bit, zeros, and the number of bits in 64 bits. */
function lastBlocks(bytes, size) {
  const rest = bytes.subarray(bytes.length - bytes.length % 64);
  const blocks = new Uint8Array(rest.length < 56 ? 64 : 128), view = new DataView(blocks.buffer);
  blocks.set(rest);
  blocks[rest.length] = 0x80;
  view.setUint32(blocks.length - 8, Math.floor(size / 2 ** 29));
  view.setUint32(blocks.length - 4, (8 * size) % 2 ** 32);
  return blocks;
}

const rotated = (word, by) => (word >>> by) | (word << (32 - by));

/** Take in all whole blocks of some bytes. */
function compress(state, bytes) {
  const words = new Int32Array(64), view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 64 <= bytes.length; at += 64) {
    for (let i = 0; i < 16; i += 1) words[i] = view.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i += 1) {
      const x = words[i - 15], y = words[i - 2];
      words[i] = words[i - 16] + words[i - 7] + (rotated(x, 7) ^ rotated(x, 18) ^ (x >>> 3)) + (rotated(y, 17) ^ rotated(y, 19) ^ (y >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i += 1) {
      const first = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g)) + CONSTANTS[i] + words[i];
      const second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g; g = f; f = e; e = (d + first) | 0;
      d = c; c = b; b = a; a = (first + second) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => { state[i] += word; });
  }
}
