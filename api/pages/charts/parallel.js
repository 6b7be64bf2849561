/** Parallel coordinates: a line for each trial through its decisions to its score. A brush on an axis keeps some. */
import { html, useEffect, useMemo, useRef, useState } from "../lib.js";
import { score as words } from "../format.js";
import { range, scoreRange } from "./scale.js";
import { clean, colour, useTheme, useWidth } from "./screen.js";

/** @import { TrialTable } from "../trials.js" */

/**
 * places: of every row on this axis, 0 at the bottom to 1, NaN where the trial has none. options: words with places.
 *
 * @typedef {{name: string, places: Float64Array, options: {text: string, place: number}[]}} Coordinate
 * @typedef {Record<string, [number, number]>} Brushes  lowest and highest place by axis
 */

/** Most axes that can be told apart side by side. */
export const MOST_AXES = 12;
/** Lines beyond this many hide each other; the best are drawn. 3,000 lines over 9 axes took 80 ms on a busy machine. */
export const MOST_LINES = 3000;
const [TOP, BOTTOM] = [54, 22];

/** @param {unknown} a @param {unknown} b */
function inOrder(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

/** The decisions in which trials differ, those that were made most often first; at the end the score. @param {TrialTable} table @returns {Coordinate[]} */
export function coordinates(table) {
  const axes = Object.entries(table.choices)
    .filter(([, choice]) => choice.options.length > 1)
    .map(([name, choice]) => ({ name, choice, made: choice.chosen.reduce((/** @type {number} */ sum, at) => sum + (at === null ? 0 : 1), 0) }))
    .sort((a, b) => b.made - a.made)
    .slice(0, MOST_AXES - 1)
    .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }))
    .map(({ name, choice }) => {
      const order = choice.options.map((option, at) => ({ option, at })).sort((a, b) => inOrder(a.option, b.option));
      const place = new Array(order.length);
      order.forEach(({ at }, rank) => (place[at] = rank / (order.length - 1)));
      const places = Float64Array.from(choice.chosen, (at) => (at === null ? NaN : place[at]));
      return { name, places, options: order.map(({ option, at }) => ({ text: String(option), place: place[at] })) };
    });
  const scores = table.columns.search_score;
  const [low, top] = scoreRange(scores) ?? [0, 1];
  const high = Math.min(top, (range(scores) ?? [0, 1])[1]);
  const places = Float64Array.from(scores, (value) => (value === null ? NaN : Math.max(0, (value - low) / (high - low))));
  const options = [low, (low + high) / 2, high].map((value, at) => ({ text: value.toFixed(3), place: at / 2 }));
  return [...axes, { name: "score", places, options }];
}

/** The rows that all brushes keep, null without a brush. @param {Coordinate[]} axes @param {Brushes} brushes @returns {Set<number> | null} */
export function kept(axes, brushes) {
  const active = axes.filter((axis) => brushes[axis.name]);
  if (active.length === 0) return null;
  const rows = new Set();
  for (let row = 0; row < axes[0].places.length; row += 1) {
    const inside = active.every((axis) => {
      const place = axis.places[row];
      return place >= brushes[axis.name][0] - 1e-9 && place <= brushes[axis.name][1] + 1e-9;
    });
    if (inside) rows.add(row);
  }
  return rows;
}

/** How many lines stand out: a tenth, at most 40. @param {number} lines */
export function bestOf(lines) {
  return Math.min(40, Math.max(1, Math.round(lines / 10)));
}

/** @param {{table: TrialTable, brushes: Brushes, only: Set<number> | null, axes: Coordinate[], onBrush: (brushes: Brushes) => void}} props */
export function Parallel({ table, brushes, only, axes, onBrush }) {
  const [place, width] = useWidth();
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const theme = useTheme();
  const height = 300;
  const wide = Math.max(width, axes.length * 66);
  const step = axes.length > 1 ? (wide - 120) / (axes.length - 1) : 0;
  const at = (/** @type {number} */ axis) => 60 + axis * step;
  const up = (/** @type {number} */ share) => height - BOTTOM - share * (height - TOP - BOTTOM);
  const lines = useMemo(() => {
    const scores = table.columns.search_score;
    return [...table.scored()].sort((a, b) => Number(scores[a]) - Number(scores[b])).slice(-MOST_LINES);
  }, [table.version]);
  useEffect(() => {
    const pen = clean(canvas.current, wide, height);
    if (!pen) return;
    const [low, high] = [colour("quiet"), colour("accent")];
    const value = axes[axes.length - 1].places;
    const best = bestOf(lines.length);
    lines.forEach((row, rank) => {
      const top = rank >= lines.length - best;
      pen.globalAlpha = only && !only.has(row) ? 0.04 : top ? 0.85 : lines.length > 400 ? 0.08 : 0.28;
      pen.strokeStyle = top ? high : low;
      pen.lineWidth = top ? 1.4 : 1;
      pen.beginPath();
      let open = false;
      const aside = ((row * 7919) % 13) - 6; // trials with the same options lie side by side
      axes.forEach((axis, number) => {
        const share = number === axes.length - 1 ? value[row] : axis.places[row];
        const y = up(share) + (number === axes.length - 1 ? 0 : aside);
        if (Number.isNaN(share)) open = false;
        else if (open) pen.lineTo(at(number), y);
        else (pen.moveTo(at(number), y), (open = true));
      });
      pen.stroke();
    });
  }, [lines, only, wide, theme, axes]);
  return html`<div class="parallel" ref=${place} tabindex="0" role="group" aria-label="Parallel coordinates of the decisions and the score">
    <div class="parallel-inner">
      <canvas ref=${canvas} class="plane-canvas" width="10" height=${height} aria-hidden="true"></canvas>
      <svg width=${wide} height=${height}>
        ${axes.map((axis, number) => html`<${AxisMark} key=${axis.name} axis=${axis} x=${at(number)} up=${up} height=${height}
          brush=${brushes[axis.name]} onBrush=${(/** @type {[number, number] | null} */ brush) => onBrush(changed(brushes, axis.name, brush))} />`)}
      </svg>
    </div>
  </div>`;
}

/** @param {Brushes} brushes @param {string} name @param {[number, number] | null} brush */
export function changed(brushes, name, brush) {
  const next = { ...brushes };
  if (brush === null) delete next[name];
  else next[name] = brush;
  return next;
}

/** stages.0.blocks.1.kernel as two short lines. @param {string} name */
export function shortName(name) {
  const cut = name.lastIndexOf(".");
  const [front, last] = cut < 0 ? ["", name] : [name.slice(0, cut), name.slice(cut + 1)];
  return [front.replace(/^stages?\./, "stage ").replaceAll(".", " "), last.replaceAll("_", " ")];
}

/**
 * One axis. A brush is drawn with the pointer; by keyboard, the arrows go through the options and Escape takes it away.
 *
 * @param {{axis: Coordinate, x: number, up: (share: number) => number, height: number, brush?: [number, number],
 *   onBrush: (brush: [number, number] | null) => void}} props
 */
function AxisMark({ axis, x, up, height, brush, onBrush }) {
  const from = useRef(/** @type {number | null} */ (null));
  const [drag, setDrag] = useState(/** @type {[number, number] | null} */ (null));
  const share = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {SVGElement} */ (event.currentTarget).ownerSVGElement?.getBoundingClientRect();
    const y = event.clientY - (box?.top ?? 0);
    return Math.min(1, Math.max(0, (height - BOTTOM - y) / (height - TOP - BOTTOM)));
  };
  const down = (/** @type {PointerEvent} */ event) => {
    /** @type {Element} */ (event.currentTarget).setPointerCapture(event.pointerId);
    from.current = share(event);
  };
  const move = (/** @type {PointerEvent} */ event) => {
    if (from.current === null) return;
    const to = share(event);
    setDrag([Math.min(from.current, to), Math.max(from.current, to)]);
  };
  const release = (/** @type {PointerEvent} */ event) => {
    const to = share(event);
    const start = from.current ?? to;
    from.current = null;
    setDrag(null);
    onBrush(Math.abs(to - start) < 0.02 ? null : [Math.min(start, to), Math.max(start, to)]);
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    const steps = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Escape") onBrush(null);
    if (steps === undefined) return;
    event.preventDefault();
    const places = axis.options.map((option) => option.place);
    const now = brush ? places.findIndex((place) => place >= brush[0] - 1e-9) : steps > 0 ? -1 : places.length;
    const next = places[Math.min(places.length - 1, Math.max(0, now + steps))];
    onBrush([next, axis.name === "score" ? 1 : next]);
  };
  const shown = drag ?? brush;
  const [front, last] = shortName(axis.name);
  return html`<g class="coordinate">
    <text class="label quiet-ink" x=${x} y="18" text-anchor="middle">${front}</text>
    <text class="label" x=${x} y="34" text-anchor="middle">${last}</text>
    <line class="axis" x1=${x} x2=${x} y1=${up(1)} y2=${up(0)} />
    ${axis.options.length <= 12 && axis.options.map((option) => html`<text class="option" x=${x + 5} y=${up(option.place) + 4}>${option.text}</text>`)}
    ${shown && html`<rect class="brush" x=${x - 8} width="16" rx="2" y=${up(shown[1]) - 4} height=${up(shown[0]) - up(shown[1]) + 8} />`}
    <rect class="grip" x=${x - 14} width="28" y=${TOP - 12} height=${height - TOP - BOTTOM + 24} tabindex="0" role="slider"
      aria-orientation="vertical" aria-label=${`${front} ${last}: keep some options`} aria-valuemin="0" aria-valuemax="1"
      aria-valuenow=${brush ? brush[0] : 0} aria-valuetext=${told(axis, brush)}
      onPointerDown=${down} onPointerMove=${move} onPointerUp=${release} onKeyDown=${key} />
  </g>`;
}

/** @param {Coordinate} axis @param {[number, number] | undefined} brush */
function told(axis, brush) {
  if (!brush) return "all";
  if (axis.name === "score") return `from ${words(brush[0])} of the range up`;
  return axis.options.filter(({ place }) => place >= brush[0] - 1e-9 && place <= brush[1] + 1e-9).map(({ text }) => text).join(", ") || "none";
}
