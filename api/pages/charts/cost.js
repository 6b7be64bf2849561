/** Score against a cost, with the Pareto front of both. */
import { html, useMemo } from "../lib.js";
import { count, measure, named, score } from "../format.js";
import { RANDOM } from "../trials.js";
import { Plane } from "./plane.js";
import { pareto, range, roomy, scoreRange } from "./scale.js";

/** @import { TrialTable } from "../trials.js" */

/** The costs that trials have. @param {TrialTable} table */
export function costs(table) {
  return ["params", "macs", ...Object.keys(table.measures).filter((name) => name !== "score")];
}

/** @param {TrialTable} table @param {string} name @returns {(number | null)[]} */
function column(table, name) {
  return name === "params" ? table.columns.params : name === "macs" ? table.columns.macs : (table.measures[name] ?? []);
}

/**
 * The trials that have a score and this cost.
 *
 * @param {TrialTable} table @param {string} cost @param {Set<number> | null} only  rows, null for all
 */
export function points(table, cost, only) {
  const values = column(table, cost);
  const rows = table.scored().filter((row) => values[row] !== null && values[row] !== undefined && (only === null || only.has(row)));
  const x = rows.map((row) => /** @type {number} */ (values[row]));
  const y = rows.map((row) => /** @type {number} */ (table.columns.search_score[row]));
  return { rows, x, y };
}

/** @param {{table: TrialTable, cost: string, only: Set<number> | null, open: (number: number) => void}} props */
export function CostPlane({ table, cost, only, open }) {
  const found = useMemo(() => points(table, cost, only), [table.version, cost, only]);
  const { rows, x, y } = found;
  const { layers, xRange, yRange, log } = useMemo(() => {
    const front = pareto(x, y);
    /** @type {number[]} */ const random = [];
    /** @type {number[]} */ const own = [];
    rows.forEach((row, at) => (RANDOM.has(table.columns.provenance[row]) ? random : own).push(at));
    const pick = (/** @type {number[]} */ at) => ({ x: at.map((i) => x[i]), y: at.map((i) => y[i]) });
    const span = range(x) ?? [1, 10];
    const many = rows.length > 3000;
    const wide = span[0] > 0 && span[1] / span[0] > 8;
    return {
      log: wide,
      xRange: wide ? /** @type {[number, number]} */ ([span[0] / 1.15, span[1] * 1.15]) : roomy(span),
      yRange: scoreRange(y) ?? /** @type {[number, number]} */ ([0, 1]),
      layers: [
        { kind: "dots", ink: "quiet", ...pick(own), alpha: many ? 0.3 : 0.7, size: many ? 1.3 : 2.5 },
        { kind: many ? "dots" : "rings", ink: "random", ...pick(random), alpha: many ? 0.4 : 1, size: many ? 1.3 : 3 },
        { kind: "steps", ink: "accent", ...pick(front), size: 1.6 },
        { kind: "dots", ink: "accent", ...pick(front), size: 3.6 },
      ],
    };
  }, [found]);
  if (rows.length === 0) return html`<p class="quiet">No trial has a score yet.</p>`;
  const words = (/** @type {number} */ at) => [
    `trial ${table.columns.number[rows[at]]}: ${score(y[at])}`,
    `${named(cost)}: ${measure(x[at])}`,
  ];
  const label = `Score against ${named(cost)} of ${rows.length} trials, with the Pareto front`;
  return html`<${Plane} label=${label} height=${270}
    x=${{ label: named(cost), range: xRange, log, format: count }}
    y=${{ label: "search score", range: yRange, format: (/** @type {number} */ v) => String(v) }}
    layers=${layers} points=${found} words=${words}
    open=${(/** @type {number} */ at) => open(table.columns.number[rows[at]])} />`;
}
