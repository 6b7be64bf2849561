/** Points and lines in a plane: a canvas for what are many, SVG for axes and for what the pointer is at. */
import { html, useEffect, useMemo, useRef, useState } from "../lib.js";
import { nearest, scale } from "./scale.js";
import { clean, colour, useTheme, useWidth } from "./screen.js";

/** @import { Scale } from "./scale.js" */

/**
 * @typedef {object} Axis
 * @property {string} label
 * @property {[number, number]} range
 * @property {boolean} [log]
 * @property {(value: number) => string} format
 */

/**
 * x, y: one place each for every point. breaks: in lines, the places where a new line begins, in ascending order.
 *
 * @typedef {object} Layer
 * @property {"dots" | "rings" | "lines" | "steps"} kind
 * @property {string} ink  a variable of the style sheet
 * @property {ArrayLike<number>} x
 * @property {ArrayLike<number>} y
 * @property {number[]} [breaks]
 * @property {number} [alpha]
 * @property {number} [size]
 */

const PAD = { left: 54, right: 12, top: 10, bottom: 38 };

/** @param {CanvasRenderingContext2D} pen @param {Layer} layer @param {Scale} sx @param {Scale} sy */
function paint(pen, layer, sx, sy) {
  const { x, y, kind } = layer;
  pen.globalAlpha = layer.alpha ?? 1;
  pen.fillStyle = pen.strokeStyle = colour(layer.ink);
  if (kind === "dots" || kind === "rings") {
    const r = layer.size ?? 2.5;
    pen.lineWidth = 1.4;
    pen.beginPath();
    for (let at = 0; at < x.length; at += 1) {
      const [px, py] = [sx.at(x[at]), sy.at(y[at])];
      pen.moveTo(px + r, py);
      pen.arc(px, py, r, 0, 7);
    }
    if (kind === "dots") pen.fill();
    else pen.stroke();
    return;
  }
  const starts = new Set(layer.breaks ?? [0]);
  pen.lineWidth = layer.size ?? 1;
  pen.lineJoin = "round";
  pen.beginPath();
  for (let at = 0; at < x.length; at += 1) {
    const [px, py] = [sx.at(x[at]), sy.at(y[at])];
    if (starts.has(at)) pen.moveTo(px, py);
    else {
      if (kind === "steps") pen.lineTo(px, sy.at(y[at - 1]));
      pen.lineTo(px, py);
    }
  }
  pen.stroke();
}

/** @param {{x: Axis, y: Axis, sx: Scale, sy: Scale, width: number, height: number}} props */
function Axes({ x, y, sx, sy, width, height }) {
  const [right, bottom] = [width - PAD.right, height - PAD.bottom];
  const room = Math.max(1, Math.ceil((sx.ticks.length * 46) / Math.max(1, right - PAD.left)));
  return html`<g class="axes">
    ${sy.ticks.map((value) => html`<g>
      <line class="grid" x1=${PAD.left} x2=${right} y1=${sy.at(value)} y2=${sy.at(value)} />
      <text x=${PAD.left - 7} y=${sy.at(value) + 4} text-anchor="end">${y.format(value)}</text>
    </g>`)}
    ${sx.ticks.map((value, at) => at % room === 0 && html`<g>
      <line class="grid" x1=${sx.at(value)} x2=${sx.at(value)} y1=${PAD.top} y2=${bottom} />
      <text x=${sx.at(value)} y=${bottom + 15} text-anchor="middle">${x.format(value)}</text>
    </g>`)}
    <line class="axis" x1=${PAD.left} x2=${right} y1=${bottom} y2=${bottom} />
    <line class="axis" x1=${PAD.left} x2=${PAD.left} y1=${PAD.top} y2=${bottom} />
    <text class="label" x=${(PAD.left + right) / 2} y=${height - 4} text-anchor="middle">${x.label}</text>
    <text class="label" x=${-(PAD.top + bottom) / 2} y="11" text-anchor="middle" transform="rotate(-90)">${y.label}</text>
  </g>`;
}

/**
 * points: what the pointer can be at: a place in the plane each, told in words by `words`, opened by `open`.
 *
 * @param {{label: string, x: Axis, y: Axis, layers: Layer[], height?: number,
 *   points?: {x: ArrayLike<number>, y: ArrayLike<number>}, words?: (at: number) => string[], open?: (at: number) => void}} props
 */
export function Plane({ label, x, y, layers, height = 260, points, words, open }) {
  const [place, width] = useWidth();
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const theme = useTheme();
  const [at, setAt] = useState(-1);
  const sx = useMemo(
    () => scale(x.range[0], x.range[1], PAD.left, width - PAD.right, x.log),
    [x.range[0], x.range[1], x.log, width],
  );
  const sy = useMemo(() => scale(y.range[0], y.range[1], height - PAD.bottom, PAD.top, y.log), [y.range[0], y.range[1], height]);
  useEffect(() => {
    const pen = clean(canvas.current, width, height);
    if (!pen) return;
    pen.beginPath();
    pen.rect(PAD.left - 3, PAD.top - 3, width - PAD.left - PAD.right + 6, height - PAD.top - PAD.bottom + 6);
    pen.clip();
    for (const layer of layers) paint(pen, layer, sx, sy);
  }, [layers, sx, sy, theme]);
  const pixels = useMemo(
    () => points && { x: Float64Array.from(points.x, sx.at), y: Float64Array.from(points.y, sy.at) },
    [points, sx, sy],
  );
  const move = (/** @type {PointerEvent} */ event) => {
    if (!pixels) return;
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    setAt(nearest(pixels.x, pixels.y, event.clientX - box.left, event.clientY - box.top, 24));
  };
  const shown = pixels && at >= 0 && at < pixels.x.length;
  return html`<div class="plane" ref=${place}>
    <svg class="below" width=${width} height=${height} aria-hidden="true">
      ${width > 0 && html`<${Axes} x=${x} y=${y} sx=${sx} sy=${sy} width=${width} height=${height} />`}
    </svg>
    <canvas ref=${canvas} class="plane-canvas" width="10" height=${height} aria-hidden="true"></canvas>
    <svg width=${width} height=${height} role="img" aria-label=${label}
      class=${shown && open ? "can-open" : ""}
      onPointerMove=${move} onPointerLeave=${() => setAt(-1)} onClick=${() => shown && open?.(at)}>
      ${shown && html`<${Tip} x=${pixels.x[at]} y=${pixels.y[at]} lines=${words?.(at) ?? []} width=${width} />`}
    </svg>
  </div>`;
}

/** @param {{x: number, y: number, lines: string[], width: number}} props */
function Tip({ x, y, lines, width }) {
  const long = Math.max(...lines.map((line) => line.length)) * 6.6 + 16;
  const left = Math.max(2, x + 12 + long > width ? x - 12 - long : x + 12);
  const top = Math.max(4, y - 12 - lines.length * 8);
  return html`<g class="tip" pointer-events="none">
    <circle cx=${x} cy=${y} r="5" />
    <rect x=${left} y=${top} width=${long} height=${lines.length * 16 + 10} rx="3" />
    ${lines.map((line, row) => html`<text x=${left + 8} y=${top + 17 + row * 16}>${line}</text>`)}
  </g>`;
}
