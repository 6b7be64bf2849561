/** The best score so far, by trials or by time, with every trial as a point (uPlot). */
import { html, useEffect, useMemo, useRef } from "../lib.js";
import { score as words } from "../format.js";
import { RANDOM, incumbents } from "../trials.js";
import uPlot from "../vendor/uplot.js";
import { scoreRange } from "./scale.js";
import { colour, useTheme, useWidth } from "./screen.js";

/** @import { TrialTable } from "../trials.js" */

/**
 * What is drawn: x, scores of the controller's trials, of random trials, the best so far.
 *
 * @param {TrialTable} table @param {readonly number[]} rows  as of `scored` @param {boolean} byTime @param {number} start  seconds since 1970
 * @returns {[number[], (number | null)[], (number | null)[], (number | null)[]]}
 */
export function series(table, rows, byTime, start) {
  const { search_score: scores, provenance, finished_at: ends } = table.columns;
  const own = rows.map((row) => (RANDOM.has(provenance[row]) ? null : scores[row]));
  const random = rows.map((row) => (RANDOM.has(provenance[row]) ? scores[row] : null));
  const x = rows.map((row, place) => (byTime ? Math.max(0, (ends[row] ?? start) - start) : place + 1));
  return [x, own, random, incumbents(table, rows)];
}

/** @param {number} width @param {boolean} byTime @param {[number, number]} range @param {any[][]} data */
function options(width, byTime, range, data) {
  const many = data[0].length > 3000;
  const [ink, grid] = [colour("quiet"), colour("grid")];
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 4 }, font: "11px system-ui" };
  const dots = (/** @type {string} */ label, /** @type {string} */ name, /** @type {number} */ size) => ({
    label, stroke: colour(name), width: 0, paths: () => null,
    points: { show: true, size: many ? 2 : size, width: many ? 0 : 1.4, fill: name === "random" && !many ? "transparent" : colour(name) },
  });
  return {
    width, height: 270, pxAlign: 0,
    legend: { live: true },
    cursor: { points: { size: 7 }, drag: { x: true, y: false } },
    scales: { x: { time: false }, y: { range: () => range } },
    axes: [
      { ...axis, label: byTime ? "minutes since the start" : "trials that have ended", labelSize: 22, labelFont: "12px system-ui", size: 34,
        values: (/** @type {unknown} */ _, /** @type {number[]} */ at) => at.map((value) => String(byTime ? Number((value / 60).toFixed(2)) : value)) },
      { ...axis, label: "search score", labelSize: 20, labelFont: "12px system-ui", size: 52 },
    ],
    series: [
      { label: byTime ? "seconds" : "trials", value: (/** @type {unknown} */ _, /** @type {number | null} */ at) => (at === null ? "" : String(Math.round(at))) },
      { ...dots("trial", "quiet", 4), value: told },
      { ...dots("random trial", "random", 6), value: told },
      { label: "best so far", stroke: colour("accent"), width: 2, value: told,
        paths: /** @type {any} */ (uPlot.paths).stepped({ align: 1 }), points: { show: data[0].length < 2 } },
    ],
  };
}

/** @param {unknown} _ @param {number | null} value */
function told(_, value) {
  return value === null || value === undefined ? "–" : words(value);
}

/** @param {{table: TrialTable, byTime: boolean, start: number}} props */
export function Incumbent({ table, byTime, start }) {
  const [place, width] = useWidth();
  const theme = useTheme();
  const plot = useRef(/** @type {any} */ (null));
  const rows = useMemo(() => table.scored(), [table.version]);
  const data = useMemo(() => series(table, rows, byTime, start), [rows, byTime, start]);
  const [low, high] = useMemo(() => scoreRange([...data[1], ...data[2]]), [data]) ?? [0, 1];
  const range = useRef(/** @type {[number, number]} */ ([low, high]));
  range.current = [low, high];
  useEffect(() => {
    if (!place.current || width <= 0) return undefined;
    const own = options(width, byTime, range.current, data);
    own.scales.y.range = () => range.current;
    plot.current = new uPlot(/** @type {any} */ (own), /** @type {any} */ (data), place.current);
    return () => plot.current.destroy();
  }, [width, byTime, theme, data[0].length < 2, data[0].length > 3000]);
  useEffect(() => plot.current?.setData(data), [data]);
  const best = data[3][data[3].length - 1];
  const text = `The best score after each of ${rows.length} trials; it is ${words(best)} now. The table of trials has all values.`;
  return html`<div role="img" aria-label=${text} ref=${place} class="uplot-place"></div>`;
}
