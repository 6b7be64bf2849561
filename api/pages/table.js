/** The table of trials: sorted and filtered by columns, with only the rows in sight in the page. */
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./lib.js";
import { count, duration, measure, named, plural, score, whole } from "./format.js";
import { to } from "./route.js";
import { origin } from "./trials.js";

/** @import { TrialTable } from "./trials.js" */

/** Height of a row in pixels, as in parts.css. */
export const ROW = 28;
const AROUND = 12;

/** @typedef {{name: string, title: string, value: (row: number) => number | string | null, show: (row: number) => any, num: boolean}} Column */

/** @param {TrialTable} table @param {string} jobId @returns {Column[]} */
function columnsOf(table, jobId) {
  const c = table.columns;
  const num = true;
  return [
    { name: "number", title: "Trial", num, value: (row) => c.number[row], show: (row) => html`<a href=${to.trial(jobId, c.number[row])}>${c.number[row]}</a>` },
    { name: "state", title: "State", num: false, value: (row) => c.state[row], show: (row) => html`<span class=${`state state-${c.state[row]}`}>${c.state[row]}</span>` },
    { name: "origin", title: "From", num: false, value: (row) => c.provenance[row], show: (row) => origin(c.provenance[row]) },
    { name: "score", title: "Score", num, value: (row) => table.scoreOf(row), show: (row) => score(table.scoreOf(row)) },
    { name: "epochs", title: "Epochs", num, value: (row) => c.epochs[row], show: (row) => c.epochs[row] },
    { name: "params", title: "Parameters", num, value: (row) => c.params[row], show: (row) => html`<span title=${whole(c.params[row])}>${count(c.params[row])}</span>` },
    { name: "macs", title: "MACs", num, value: (row) => c.macs[row], show: (row) => html`<span title=${whole(c.macs[row])}>${count(c.macs[row])}</span>` },
    ...Object.keys(table.measures).map((name) => ({
      name: `measure ${name}`, title: named(name), num,
      value: (/** @type {number} */ row) => table.measures[name][row], show: (/** @type {number} */ row) => measure(table.measures[name][row]),
    })),
    { name: "seconds", title: "Time", num, value: (row) => c.seconds[row], show: (row) => duration(c.seconds[row]) },
    { name: "reason", title: "Reason", num: false, value: (row) => c.reason[row], show: (row) => html`<span title=${c.reason[row]}>${c.reason[row]}</span>` },
  ];
}

/**
 * Places in the order of their values, with what has none at the end in both directions.
 *
 * @param {number[]} rows @param {(row: number) => number | string | null} value @param {boolean} down
 */
export function sorted(rows, value, down) {
  const keys = rows.map((row) => ({ row, key: value(row) }));
  const sign = down ? -1 : 1;
  keys.sort((a, b) => {
    if (a.key === null || b.key === null) return a.key === b.key ? a.row - b.row : a.key === null ? 1 : -1;
    if (a.key === b.key) return a.row - b.row;
    return sign * (a.key < b.key ? -1 : 1);
  });
  return keys.map((entry) => entry.row);
}

/** Rows of a state that have the text in number, origin or reason. @param {TrialTable} table @param {string} state @param {string} text @param {Set<number> | null} only */
export function matching(table, state, text, only) {
  const wanted = text.trim().toLowerCase();
  const { number, state: states, provenance, reason } = table.columns;
  const rows = [];
  for (let row = 0; row < table.rows; row += 1) {
    if (state !== "" && states[row] !== state) continue;
    if (only !== null && !only.has(row)) continue;
    if (wanted !== "" && String(number[row]) !== wanted && !origin(provenance[row]).includes(wanted) && !(reason[row] ?? "").toLowerCase().includes(wanted)) continue;
    rows.push(row);
  }
  return rows;
}

/** @param {{table: TrialTable, jobId: string, best: number | null, only: Set<number> | null}} props */
export function Trials({ table, jobId, best, only }) {
  const [order, setOrder] = useState({ name: "number", down: true });
  const [state, setState] = useState("");
  const [text, setText] = useState("");
  const columns = columnsOf(table, jobId);
  const rows = useMemo(() => {
    const column = columns.find((found) => found.name === order.name) ?? columns[0];
    return sorted(matching(table, state, text, only), column.value, order.down);
  }, [table.version, table.curveVersion, order, state, text, only]);
  const states = useMemo(() => [...new Set(table.columns.state)].sort(), [table.version]);
  const turn = (/** @type {Column} */ column) =>
    setOrder((old) => ({ name: column.name, down: old.name === column.name ? !old.down : column.num }));
  return html`
    <div class="row filters">
      <label>State <select value=${state} onChange=${(/** @type {any} */ event) => setState(event.currentTarget.value)}>
        <option value="">all</option>${states.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
      <label>Find <input type="search" value=${text} placeholder="number, origin, reason" onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /></label>
      <span class="quiet" role="status">${rows.length === table.rows ? plural(rows.length, "trial") : `${whole(rows.length)} of ${plural(table.rows, "trial")}`}</span>
    </div>
    <${Window} rows=${rows} columns=${columns} order=${order} turn=${turn} best=${best} table=${table} />`;
}

/** @param {{rows: number[], columns: Column[], order: {name: string, down: boolean}, turn: (column: Column) => void, best: number | null, table: TrialTable}} props */
function Window({ rows, columns, order, turn, best, table }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ from: 0, to: 40 });
  const look = () => {
    const element = place.current;
    if (!element) return;
    const from = Math.max(0, Math.floor(element.scrollTop / ROW) - AROUND);
    const to = Math.ceil((element.scrollTop + element.clientHeight) / ROW) + AROUND;
    setView((old) => (old.from === from && old.to === to ? old : { from, to }));
  };
  useEffect(look, [rows.length]);
  useLayoutEffect(() => {
    if (place.current) place.current.scrollTop = 0;
  }, [order]);
  const [from, to] = [Math.min(view.from, rows.length), Math.min(view.to, rows.length)];
  const gap = (/** @type {number} */ many) => many > 0 && html`<tr class="gap" aria-hidden="true"><td colspan=${columns.length} style=${{ height: `${many * ROW}px` }}></td></tr>`;
  return html`<div class="window" ref=${place} onScroll=${look} tabindex="0" role="region" aria-label="Table of trials">
    <table class="list trials" aria-rowcount=${rows.length + 1}>
      <thead><tr>${columns.map((column) => html`<th scope="col" class=${column.num ? "num" : ""}
        aria-sort=${order.name !== column.name ? undefined : order.down ? "descending" : "ascending"}>
        <button type="button" class="sort" onClick=${() => turn(column)}>${column.title}<span aria-hidden="true">${order.name !== column.name ? "" : order.down ? " ↓" : " ↑"}</span></button></th>`)}</tr></thead>
      <tbody>
        ${gap(from)}
        ${rows.slice(from, to).map((row, at) => html`<tr key=${table.columns.number[row]} aria-rowindex=${from + at + 2} class=${table.columns.number[row] === best ? "best" : ""}>
          ${columns.map((column) => html`<td class=${column.num ? "num" : ""}>${column.show(row)}</td>`)}</tr>`)}
        ${gap(rows.length - to)}
      </tbody>
    </table>
  </div>`;
}
