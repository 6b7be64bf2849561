/** Numbers, sizes, times and durations as people read them. Pure functions. */

const DASH = "–";

/** @param {number | null | undefined} value  a fraction */
export function score(value) {
  return value === null || value === undefined || !Number.isFinite(value) ? DASH : value.toFixed(4);
}

/** 950, 12.3k, 4.56M, 7.89G @param {number | null | undefined} value */
export function count(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  const size = Math.abs(value);
  for (const [limit, unit] of /** @type {[number, string][]} */ ([[1e9, "G"], [1e6, "M"], [1e3, "k"]])) {
    if (size >= limit * 0.9995) return three(value / limit) + unit;
  }
  return Number.isInteger(value) ? String(value) : three(value);
}

/** Three digits that count. @param {number} value */
function three(value) {
  const size = Math.abs(value);
  const digits = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  const text = value.toFixed(digits);
  return digits > 0 ? text.replace(/\.?0+$/, "") : text;
}

/** A whole number with thin groups: 12,345. @param {number} value */
export function whole(value) {
  return Math.round(value).toLocaleString("en-US");
}

/** 4 significant digits for a measure of any size. @param {number | null | undefined} value */
export function measure(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e4) return count(value);
  return String(Number(value.toPrecision(4)));
}

/** 12 B, 3.4 kB, 5.67 MB @param {number} bytes */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let value = bytes;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${at === 0 ? Math.round(value) : three(value)} ${units[at]}`;
}

/** 0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return DASH;
  const s = Math.max(0, seconds);
  if (s < 9.95) return s === 0 ? "0 s" : `${Number(s.toFixed(1))} s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole} s`;
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([unit]) => whole >= Number(unit));
  const [unit, name] = /** @type {[number, string]} */ (parts[first]);
  const [next, nextName] = /** @type {[number, string]} */ (parts[first + 1]);
  let big = Math.floor(whole / unit);
  let small = Math.round((whole - big * unit) / next);
  if (small * next === unit) [big, small] = [big + 1, 0];
  return small > 0 ? `${big} ${name} ${small} ${nextName}` : `${big} ${name}`;
}

/** A moment: 14:05 of today, else 28 Nov 14:05. @param {string | number | Date | null} at @param {Date} [now] */
export function moment(at, now = new Date()) {
  if (at === null) return DASH;
  const date = new Date(at);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (date.toDateString() === now.toDateString()) return clock;
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const year = date.getFullYear() === now.getFullYear() ? "" : ` ${date.getFullYear()}`;
  return `${date.getDate()} ${months[date.getMonth()]}${year} ${clock}`;
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}

/** A difference of scores with its sign: +0.0123 @param {number} value */
export function signed(value) {
  return `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(4)}`;
}

/** 1 trial, 2 trials @param {number} number @param {string} one @param {string} [many] */
export function plural(number, one, many = `${one}s`) {
  return `${whole(number)} ${number === 1 ? one : many}`;
}

/** (1, 28, 28) as 1 × 28 × 28 @param {number[] | undefined | null} shape */
export function shape(shape) {
  return shape && shape.length > 0 ? shape.join(" × ") : DASH;
}

/** What decided that the search is over, in words. @param {string | null} because */
export function stopped(because) {
  /** @type {Record<string, string>} */
  const words = {
    budget_seconds: "its time was used up",
    budget_trials: "the number of trials was reached",
    budget_epochs: "the number of epochs was reached",
    space_exhausted: "the controller found no new architecture in the space",
    target_reached: "the wanted score was reached",
    improvement_flat: "the score no longer rose",
    finish: "it was finished early",
  };
  return because === null ? "" : (words[because] ?? because.replaceAll("_", " "));
}

/** The name of a measure with its unit. @param {string} name */
export function named(name) {
  /** @type {Record<string, string>} */
  const words = { params: "parameters", macs: "MACs", peak_memory_mb: "peak memory, MB", latency_ms: "latency, ms", energy_j: "energy, J" };
  return words[name] ?? name.replaceAll("_", " ");
}
