/** All trials of a job as columns, kept up to date by events. No requests, no page: tested by itself. */

/** @import { Choice, Columns, JobEvent, TableAnswer } from "./types.js" */

export const RANDOM = new Set(["random", "random_arm"]);
export const ENDED = new Set(["completed", "pruned", "infeasible", "failed", "cancelled"]);

/** @returns {Columns} */
function noColumns() {
  return {
    number: [], state: [], provenance: [], params: [], macs: [], search_score: [], epochs: [], attempts: [],
    seconds: [], reason: [], started_at: [], finished_at: [],
  };
}

export class TrialTable {
  constructor() {
    this.columns = noColumns();
    /** @type {Record<string, (number | null)[]>} */
    this.measures = {};
    /** @type {Record<string, Choice>} */
    this.choices = {};
    /** Scores by trial: epoch, score, epoch, score. @type {Map<number, number[]>} */
    this.curves = new Map();
    /** @type {Map<number, number>} */
    this.rowOf = new Map();
    /** The newest event that is in here. */
    this.event = 0;
    /** Rises with every change. */
    this.version = 0;
    /** Rises with every change of a curve. */
    this.curveVersion = 0;
    /** Whether there are trials whose decisions have to be fetched. */
    this.incomplete = false;
    /** What `scored` has found, and for which version. @type {{version: number, rows: number[]}} */
    this.found = { version: -1, rows: [] };
  }

  get rows() {
    return this.columns.number.length;
  }

  /** Takes an answer of the service. What events have told since it was made stays. @param {TableAnswer} answer */
  load(answer) {
    const newer = answer.event < this.event ? this.columns : null;
    const [known, measures] = [this.rowOf, this.measures];
    this.columns = answer.columns;
    this.measures = answer.measures;
    this.choices = answer.choices;
    this.rowOf = new Map(answer.columns.number.map((number, row) => [number, row]));
    if (newer) this.keep(newer, measures, known);
    else this.event = answer.event;
    this.incomplete = this.rows > answer.rows;
    this.version += 1;
  }

  /** @param {Columns} newer @param {Record<string, (number | null)[]>} measures @param {Map<number, number>} known */
  keep(newer, measures, known) {
    for (const [number, from] of known) {
      const to = this.row(number);
      for (const name of /** @type {(keyof Columns)[]} */ (Object.keys(newer))) {
        /** @type {any[]} */ (this.columns[name])[to] = newer[name][from];
      }
      for (const [name, values] of Object.entries(measures)) this.measureOf(name)[to] = values[from];
    }
  }

  /** The row of a trial, which is added where there is none. @param {number} number */
  row(number) {
    const found = this.rowOf.get(number);
    if (found !== undefined) return found;
    const row = this.rows;
    const columns = this.columns;
    columns.number.push(number);
    columns.state.push("waiting");
    columns.provenance.push("controller");
    for (const name of /** @type {const} */ (["params", "macs", "epochs", "attempts", "seconds"])) columns[name].push(0);
    for (const name of /** @type {const} */ (["search_score", "reason", "started_at", "finished_at"])) columns[name].push(null);
    for (const column of Object.values(this.measures)) column.push(null);
    for (const choice of Object.values(this.choices)) choice.chosen.push(null);
    this.rowOf.set(number, row);
    return row;
  }

  /** @param {JobEvent} event @returns {boolean} whether a trial or a curve changed */
  apply(event) {
    if (event.kind === "measurement") this.measured(event.data.number, event.data.epoch, event.data.score);
    if (event.id <= this.event) return false;
    this.event = event.id;
    if (event.kind === "trial_added") this.added(event.data);
    else if (event.kind === "trial_state") this.moved(event.data, Date.parse(event.at) / 1000);
    else if (event.kind === "measurement") {
      const row = this.row(event.data.number);
      this.columns.epochs[row] = Math.max(this.columns.epochs[row], event.data.epoch);
    } else return false;
    this.version += 1;
    return true;
  }

  /** @param {Record<string, any>} data */
  added(data) {
    const row = this.row(data.number);
    const columns = this.columns;
    columns.state[row] = data.state;
    columns.reason[row] = data.reason;
    columns.params[row] = data.params;
    columns.macs[row] = data.macs;
    columns.provenance[row] = data.provenance;
    this.incomplete = true;
  }

  /** @param {Record<string, any>} data @param {number} at  seconds since 1970 */
  moved(data, at) {
    const row = this.row(data.number);
    const columns = this.columns;
    columns.state[row] = data.state;
    columns.reason[row] = data.reason;
    columns.attempts[row] = data.attempts;
    columns.search_score[row] = data.search_score;
    columns.epochs[row] = data.epochs;
    columns.seconds[row] = data.seconds;
    if (data.state === "running") columns.started_at[row] ??= at;
    if (ENDED.has(data.state)) columns.finished_at[row] = at;
    for (const [name, value] of Object.entries(data.measures ?? {})) {
      this.measureOf(name)[row] = /** @type {number} */ (value);
    }
  }

  /** @param {string} name */
  measureOf(name) {
    this.measures[name] ??= new Array(this.rows).fill(null);
    return this.measures[name];
  }

  /** One point of a curve; a point that is known already is left. @param {number} number @param {number} epoch @param {number} value */
  measured(number, epoch, value) {
    const curve = this.curves.get(number);
    if (curve === undefined) this.curves.set(number, [epoch, value]);
    else if (epoch > curve[curve.length - 2]) curve.push(epoch, value);
    else return;
    this.curveVersion += 1;
  }

  /** The score that a trial has so far: the one it ended with, else the last of its curve. @param {number} row */
  scoreOf(row) {
    const ended = this.columns.search_score[row];
    if (ended !== null) return ended;
    const curve = this.curves.get(this.columns.number[row]);
    return curve === undefined ? null : curve[curve.length - 1];
  }

  /** The rows of trials that have a score, in the order in which they ended; not to be changed. @returns {readonly number[]} */
  scored() {
    if (this.found.version === this.version) return this.found.rows;
    const { state, search_score: scores, finished_at: ends, provenance, number } = this.columns;
    const rows = [];
    for (let row = 0; row < this.rows; row += 1) {
      if (scores[row] !== null && state[row] !== "running" && provenance[row] !== "prior") rows.push(row);
    }
    rows.sort((a, b) => (ends[a] ?? 0) - (ends[b] ?? 0) || number[a] - number[b]);
    this.found = { version: this.version, rows };
    return rows;
  }
}

/**
 * The best score so far, after each trial that ended. Trials of a random arm cannot be the best.
 *
 * @param {TrialTable} table @param {readonly number[]} rows  as of `scored`
 * @returns {(number | null)[]}
 */
export function incumbents(table, rows) {
  const { state, provenance, search_score: scores } = table.columns;
  /** @type {number | null} */
  let best = null;
  return rows.map((row) => {
    const own = scores[row];
    if (state[row] === "completed" && provenance[row] !== "random_arm" && own !== null && (best === null || own > best)) best = own;
    return best;
  });
}

/** Where trials come from, in words. @param {string} provenance */
export function origin(provenance) {
  /** @type {Record<string, string>} */
  const words = { random_arm: "random arm", enqueued: "asked for", prior: "earlier job" };
  return words[provenance] ?? provenance.replaceAll("_", " ");
}
