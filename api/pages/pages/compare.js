/** Jobs side by side: what was asked, what was found, and the best score over time. */
import { html, useMemo } from "../lib.js";
import * as api from "../api.js";
import { Plane } from "../charts/plane.js";
import { range, roomy, scoreRange } from "../charts/scale.js";
import { count, duration, score, stopped } from "../format.js";
import { Panel, Problem, State, useLoaded, usePoll } from "../parts.js";
import { to } from "../route.js";
import { OVER } from "../states.js";
import { TrialTable, incumbents } from "../trials.js";
import { MOST_COMPARED, trialsDone } from "./jobs.js";

/** @import { JobDetail } from "../types.js" */
/** @typedef {{job: JobDetail, table: TrialTable}} Compared */

/** A colour of the style sheet for each job. */
const INKS = ["accent", "random", "good", "bad", "series-5", "series-6"];

/** @param {string} id @param {AbortSignal} signal @returns {Promise<Compared>} */
async function loaded(id, signal) {
  const [job, answer] = await Promise.all([api.job(id, signal), api.table(id, signal)]);
  const table = new TrialTable();
  table.load(answer);
  return { job, table };
}

/** The best score so far by seconds since the start: two columns. @param {Compared} compared */
export function curve({ job, table }) {
  const rows = table.scored();
  const start = job.started_at ? Date.parse(job.started_at) / 1000 : 0;
  const y = incumbents(table, rows);
  const x = rows.map((row) => Math.max(0, (table.columns.finished_at[row] ?? start) - start));
  const kept = y.map((_, at) => at).filter((at) => y[at] !== null);
  return { x: kept.map((at) => x[at]), y: kept.map((at) => /** @type {number} */ (y[at])) };
}

/** @param {JobDetail} job */
function budget(job) {
  const own = job.spec.budget;
  const parts = [own.seconds && duration(own.seconds), own.trials && `${own.trials} trials`, own.epochs && `${own.epochs} epochs each`];
  return parts.filter(Boolean).join(", ") || "–";
}

/** What the best trial so far costs. @param {Compared} compared */
function costs({ job, table }) {
  const row = job.best ? table.rowOf.get(job.best.trial) : undefined;
  return row === undefined ? null : { params: table.columns.params[row], macs: table.columns.macs[row] };
}

/** Rows of the table: a name, and the words for a job. @type {[string, (compared: Compared) => string][]} */
const FACTS = [
  ["Data set", ({ job }) => job.dataset],
  ["Space", ({ job }) => job.spec.space?.name ?? "own"],
  ["Controller", ({ job }) => job.spec.controller?.name ?? "–"],
  ["Budget", ({ job }) => budget(job)],
  ["Seed", ({ job }) => String(job.spec.seed ?? "–")],
  ["Trials ended", ({ job }) => trialsDone(job)],
  ["Time used", ({ job }) => duration(job.progress.seconds_used)],
  ["Best search score", ({ job }) => score(job.best?.search_score ?? null)],
  ["Final score", ({ job }) => score(job.final_score)],
  ["Parameters of the best", (compared) => count(costs(compared)?.params ?? null)],
  ["MACs of the best", (compared) => count(costs(compared)?.macs ?? null)],
  ["The search ended because", ({ job }) => (job.stopped_because ? stopped(job.stopped_because) : "–")],
];

/** What is told of the jobs, and in which rows they differ. @param {Compared[]} all */
export function facts(all) {
  return FACTS.map(([name, words]) => {
    const values = all.map(words);
    return { name, values, differ: new Set(values).size > 1 };
  });
}

/** @param {{ids: string[]}} props */
export function Compare({ ids }) {
  const wanted = ids.slice(0, MOST_COMPARED);
  const { value: all, error, again } = useLoaded((signal) => Promise.all(wanted.map((id) => loaded(id, signal))), [wanted.join()]);
  usePoll(again, 10_000, all?.some(({ job }) => !OVER.has(job.state)) ?? false);
  const crumbs = html`<p class="crumbs"><a href="#/jobs">Jobs</a> / comparison</p>`;
  if (all === undefined) return html`<div class="page">${crumbs}${error ? html`<${Problem} error=${error} />` : html`<p class="quiet">Loads…</p>`}</div>`;
  return html`<div class="page">${crumbs}
    <div class="row head"><h1>${all.length} jobs compared</h1></div>
    <${Curves} all=${all} />
    <${Panel} title="What was asked, and what was found"><${Table} all=${all} /><//>
  </div>`;
}

/** In minutes, or in seconds where none is longer than three minutes. @param {{x: number[], y: number[]}[]} curves */
function inUnits(curves) {
  const unit = Math.max(0, ...curves.map((own) => own.x[own.x.length - 1] ?? 0)) > 180 ? 60 : 1;
  return { unit, curves: curves.map((own) => ({ x: own.x.map((value) => value / unit), y: own.y })) };
}

/** @param {{all: Compared[]}} props */
function Curves({ all }) {
  const { curves, unit } = useMemo(() => inUnits(all.map(curve)), [all]);
  const layers = useMemo(
    () => curves.map((own, at) => ({ kind: /** @type {"steps"} */ ("steps"), ink: INKS[at], size: 2, x: own.x, y: own.y })),
    [curves],
  );
  const points = useMemo(() => ({ x: curves.flatMap((own) => own.x), y: curves.flatMap((own) => own.y) }), [curves]);
  const owner = useMemo(() => curves.flatMap((own, at) => own.x.map(() => at)), [curves]);
  if (points.x.length === 0) return html`<${Panel} title="Best search score so far"><p class="quiet">None of them has a score yet.</p><//>`;
  const span = range(points.x) ?? [0, 1];
  const x = { label: `${unit === 60 ? "minutes" : "seconds"} since the start`, range: roomy(span), format: (/** @type {number} */ value) => String(Number(value.toFixed(1))) };
  const y = { label: "search score", range: scoreRange(points.y) ?? /** @type {[number, number]} */ ([0, 1]), format: (/** @type {number} */ value) => String(Number(value.toFixed(4))) };
  const words = (/** @type {number} */ at) => [all[owner[at]].job.name, `${score(points.y[at])} after ${duration(points.x[at] * unit)}`];
  const label = `Best search score of ${all.length} jobs by time; the table below has the last values.`;
  const sets = new Set(all.map(({ job }) => job.dataset));
  return html`<${Panel} title="Best search score so far">
    ${sets.size > 1 && html`<p class="quiet">The jobs use ${sets.size} data sets: their scores are not comparable.</p>`}
    <p class="row">${all.map(({ job }, at) => html`<span class="key"><svg width="22" height="8" aria-hidden="true"><rect y="3" width="22" height="3" class=${`ink-${INKS[at]}`} /></svg> <a href=${to.job(job.id)}>${job.name}</a></span>`)}</p>
    <${Plane} label=${label} x=${x} y=${y} layers=${layers} points=${points} words=${words} /><//>`;
}

/** @param {{all: Compared[]}} props */
function Table({ all }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table of the compared jobs"><table class="list">
    <thead><tr><th scope="col"><span class="hidden">What</span></th>${all.map(({ job }) => html`<th scope="col"><a href=${to.job(job.id)}>${job.name}</a> <span class="quiet mono">${job.id.slice(0, 8)}</span></th>`)}</tr></thead>
    <tbody><tr><th scope="row">State</th>${all.map(({ job }) => html`<td><${State} state=${job.state} /></td>`)}</tr>
      ${facts(all).map((row) => html`<tr><th scope="row">${row.name}</th>${row.values.map((value) => html`<td>${row.differ ? html`<strong>${value}</strong>` : value}</td>`)}</tr>`)}
      <tr><th scope="row">Best trial</th>${all.map((compared) => html`<td>${compared.job.best ? html`<a href=${to.trial(compared.job.id, compared.job.best.trial)}>trial ${compared.job.best.trial}</a>` : "–"}${compared.job.state === "succeeded" ? html`, <a href=${to.result(compared.job.id)}>result</a>` : null}</td>`)}</tr></tbody>
  </table></div>
  <p class="quiet">Bold where the jobs differ.</p>`;
}
