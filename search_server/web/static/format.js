// How values look to people: milliseconds, ages, counts, shares.

/** A number with three significant digits, whole from 100 on. */
export function three(value) {
  return value === null || value === undefined ? "–" : value.toFixed(decimals(value));
}

/** Microseconds as milliseconds with three significant digits. */
export function milliseconds(us) {
  return us === null || us === undefined ? "–" : three(us / 1000);
}

/** Microseconds with three significant digits. */
export const microseconds = three;

/** How many decimals show three significant digits. */
function decimals(value) {
  if (!value) return 0;
  // 9.996 is 10.0: the digits are those of the rounded number.
  return Math.max(0, 2 - Math.floor(Math.log10(Number(Math.abs(value).toPrecision(3)))));
}

/** An ISO 8601 time as `3 min ago`. */
export function ago(moment) {
  if (!moment) return "never";
  const seconds = Math.max(0, (Date.now() - Date.parse(moment)) / 1000);
  const [size, unit] = seconds < 60 ? [1, "s"] : seconds < 3600 ? [60, "min"]
    : seconds < 86400 ? [3600, "h"] : [86400, "d"];
  return `${Math.round(seconds / size)} ${unit} ago`;
}

/** An ISO 8601 time in UTC to the minute, as `2026-11-28 12:03 UTC`. */
export function utc(moment) {
  return moment ? `${new Date(moment).toISOString().slice(0, 16).replace("T", " ")} UTC` : "";
}

/** A count; millions as `3.21 M`. */
export function count(number) {
  if (number === null || number === undefined) return "–";
  // Not toLocaleString: its first call loads the browser's languages, 45 ms before a map is drawn.
  return number >= 1e6 ? `${three(number / 1e6)} M` : String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A shape of channels, height and width, such as `24×16²`. */
export function shape([channels, height, width]) {
  return height === undefined ? String(channels) : height === width ? `${channels}×${height}²` : `${channels}×${height}×${width}`;
}

/** A share 0..1 as a percentage. */
export function share(value, digits = 1) {
  return value === null || value === undefined ? "–" : `${(100 * value).toFixed(digits)} %`;
}

/** A relative difference as a percentage with its sign. */
export function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(1)} %`;
}

/** Conditions in one line. */
export function conditions(given) {
  const version = given.runtime_version ? ` ${given.runtime_version}` : "";
  const cores = given.cores.length ? `, cores ${given.cores.join(",")}` : "";
  const threads = `${given.threads} thread${given.threads > 1 ? "s" : ""}`;
  const accelerator = given.accelerator ? ` on ${given.accelerator}` : "";
  return `${given.runtime}${version}${accelerator}, ${given.dtype}, batch ${given.batch}, ${threads}${cores}, ${given.thermal}`;
}

/** The options of `edgenas` that ask for these conditions; those at their defaults are left out. */
export function conditionOptions({ runtime, threads, dtype, batch, cores, thermal, accelerator }) {
  const options = [
    runtime !== "onnxruntime" && `--runtime ${runtime}`, threads !== 1 && `--threads ${threads}`,
    dtype !== "fp32" && `--dtype ${dtype}`, batch !== 1 && `--batch ${batch}`,
    cores.length > 0 && `--cores ${cores.join(",")}`, thermal !== "cold" && `--thermal ${thermal}`,
    accelerator && `--accelerator "${accelerator}"`,
  ];
  return options.filter(Boolean).map((option) => ` ${option}`).join("");
}

/** Bytes as GiB. */
export function gibibytes(bytes) {
  return bytes === null || bytes === undefined ? "unknown" : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** The middle of some numbers; NaN for none. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length / 2;
  return sorted.length ? (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2 : NaN;
}
