/** Scales, ticks, the Pareto front: arithmetic of charts, without a page. */

/**
 * @typedef {object} Scale
 * @property {(value: number) => number} at  pixels of a value
 * @property {(pixel: number) => number} back
 * @property {number[]} ticks
 * @property {boolean} log
 */

/**
 * A scale from the range of values to pixels. A range of one value is widened, so that it has a place.
 *
 * @param {number} low @param {number} high @param {number} from @param {number} to @param {boolean} [log]
 * @returns {Scale}
 */
export function scale(low, high, from, to, log = false) {
  const turn = log ? Math.log10 : (/** @type {number} */ value) => value;
  const undo = log ? (/** @type {number} */ value) => 10 ** value : (/** @type {number} */ value) => value;
  let [a, b] = [turn(low), turn(high)];
  if (!(b > a)) [a, b] = [a - (log ? 0.3 : Math.abs(a) * 0.05 || 0.5), a + (log ? 0.3 : Math.abs(a) * 0.05 || 0.5)];
  const slope = (to - from) / (b - a);
  return {
    at: (value) => from + (turn(value) - a) * slope,
    back: (pixel) => undo(a + (pixel - from) / slope),
    ticks: log ? logTicks(undo(a), undo(b)) : ticks(a, b, Math.max(2, Math.abs(to - from) / (from > to ? 45 : 70))),
    log,
  };
}

/** Round values from low to high, about as many as wanted. @param {number} low @param {number} high @param {number} wanted */
export function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough) ?? 10 * power;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) found.push(Number((k * step).toPrecision(12)));
  return found;
}

/** Powers of ten, with 2 and 5 between where there are few. @param {number} low @param {number} high */
export function logTicks(low, high) {
  const found = [];
  const wide = Math.log10(high / low) > 3;
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const times of wide ? [1] : [1, 2, 5]) {
      const value = Number((times * 10 ** power).toPrecision(6));
      if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
    }
  }
  return found;
}

/** The smallest and largest of the finite values, null where there are none. @param {Iterable<number | null>} values @returns {[number, number] | null} */
export function range(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/** The range with room at both ends. @param {[number, number]} of @param {number} share */
export function roomy([low, high], share = 0.04) {
  const room = (high - low) * share || Math.abs(low) * share || share;
  return /** @type {[number, number]} */ ([low - room, high + room]);
}

/** The scores below the worst twentieth are left out of the picture, or all others would share a thin line at its top. @param {(number | null)[]} values @returns {[number, number] | null} */
export function scoreRange(values) {
  const found = Float64Array.from(/** @type {number[]} */ (values.filter((value) => value !== null && Number.isFinite(value)))).sort();
  if (found.length === 0) return null;
  const [high, middle] = [found[found.length - 1], found[Math.floor(found.length / 2)]];
  const worst = found[Math.floor(found.length * 0.05)];
  const low = high - found[0] > 4 * (high - middle) && found.length >= 20 ? worst : found[0];
  const [from, to] = roomy([low, high]);
  // No score of the kinds that end at 1 is above it, and an axis that goes on would say so.
  return [from, high <= 1 ? Math.min(to, 1 + (to - from) * 0.015) : to];
}

/**
 * The Pareto front: places of the points that no other has beaten in both, cheapest first. Larger scores and smaller
 * costs are better.
 *
 * @param {ArrayLike<number>} costs @param {ArrayLike<number>} scores @returns {number[]}
 */
export function pareto(costs, scores) {
  const order = Array.from(costs, (_, at) => at).sort((a, b) => costs[a] - costs[b] || scores[b] - scores[a]);
  const front = [];
  let best = -Infinity;
  for (const at of order) {
    if (scores[at] > best) {
      front.push(at);
      best = scores[at];
    }
  }
  return front;
}

/**
 * Place of the nearest point within `reach` pixels, -1 where there is none.
 *
 * @param {ArrayLike<number>} xs @param {ArrayLike<number>} ys  pixels
 * @param {number} x @param {number} y @param {number} reach
 */
export function nearest(xs, ys, x, y, reach) {
  let [found, least] = [-1, reach * reach];
  for (let at = 0; at < xs.length; at += 1) {
    const away = (xs[at] - x) ** 2 + (ys[at] - y) ** 2;
    if (away <= least) [found, least] = [at, away];
  }
  return found;
}
