/** The learning curves of all trials: score after each epoch. */
import { html, useMemo } from "../lib.js";
import { score } from "../format.js";
import { Plane } from "./plane.js";
import { scoreRange } from "./scale.js";

/** @import { TrialTable } from "../trials.js" */

/** Curves beyond this many would be one grey field: those of the newest trials are drawn. */
export const MOST = 4000;

/**
 * All points of curves in one row, with the places where curves begin.
 *
 * @param {[number, number[]][]} curves  number of the trial; epoch, score, epoch, score
 */
export function flat(curves) {
  /** @type {number[]} */ const x = [];
  /** @type {number[]} */ const y = [];
  /** @type {number[]} */ const breaks = [];
  /** @type {number[]} */ const trials = [];
  for (const [number, points] of curves) {
    breaks.push(x.length);
    for (let at = 0; at < points.length; at += 2) {
      x.push(points[at]);
      y.push(points[at + 1]);
      trials.push(number);
    }
  }
  return { x, y, breaks, trials };
}

/** @param {{table: TrialTable, best: number | null, open: (number: number) => void}} props */
export function Curves({ table, best, open }) {
  const found = useMemo(() => {
    const kept = [...table.curves].slice(-MOST);
    const all = flat(kept);
    const running = flat(kept.filter(([number]) => table.columns.state[table.rowOf.get(number) ?? -1] === "running"));
    const own = best === null ? undefined : table.curves.get(best);
    const top = flat(own && best !== null ? [[best, own]] : []);
    const single = { x: /** @type {number[]} */ ([]), y: /** @type {number[]} */ ([]) };
    for (const [, points] of kept) if (points.length === 2) (single.x.push(points[0]), single.y.push(points[1]));
    return { all, running, top, single };
  }, [table.curveVersion, table.version, best]);
  const { all, running, top, single } = found;
  const last = useMemo(() => all.x.reduce((most, epoch) => Math.max(most, epoch), 1), [all]);
  const range = useMemo(() => scoreRange(all.y), [all]);
  const layers = useMemo(
    () => [
      { kind: "lines", ink: "quiet", ...all, alpha: all.breaks.length > 300 ? 0.25 : 0.5 },
      { kind: "dots", ink: "quiet", ...single, alpha: 0.6, size: 2 },
      { kind: "lines", ink: "random", ...running, size: 1.5 },
      { kind: "lines", ink: "accent", ...top, size: 2.2 },
      { kind: "dots", ink: "accent", ...top, size: 2.6 },
    ],
    [found],
  );
  if (range === null) return html`<p class="quiet">No epoch has been scored yet.</p>`;
  const words = (/** @type {number} */ at) => [`trial ${all.trials[at]}`, `epoch ${all.x[at]}: ${score(all.y[at])}`];
  return html`<${Plane} label=${`Learning curves of ${all.breaks.length} trials`} height=${270}
    x=${{ label: "epoch (scored after each)", range: last > 1 ? [1, last] : [0.5, 1.5], format: (/** @type {number} */ v) => (Number.isInteger(v) ? String(v) : "") }}
    y=${{ label: "search score", range, format: (/** @type {number} */ v) => String(v) }}
    layers=${layers} points=${all} words=${words} open=${(/** @type {number} */ at) => open(all.trials[at])} />`;
}

/** The curve of one trial. @param {{points: [number, number][], total?: number | null}} props */
export function OneCurve({ points }) {
  const x = points.map(([epoch]) => epoch);
  const y = points.map(([, value]) => value);
  const layers = useMemo(() => [
    { kind: "lines", ink: "accent", x, y, size: 2 },
    { kind: "dots", ink: "accent", x, y, size: 3 },
  ], [points]);
  const last = x[x.length - 1] ?? 1;
  return html`<${Plane} label=${`Score after each of ${points.length} epochs`} height=${220}
    x=${{ label: "epoch", range: last > 1 ? [1, last] : [0.5, 1.5], format: (/** @type {number} */ v) => (Number.isInteger(v) ? String(v) : "") }}
    y=${{ label: "search score", range: scoreRange(y) ?? [0, 1], format: (/** @type {number} */ v) => String(v) }}
    layers=${layers} points=${{ x, y }} words=${(/** @type {number} */ at) => [`epoch ${x[at]}: ${score(y[at])}`]} />`;
}
