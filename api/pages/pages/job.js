/** One job: what it does now, its charts, its trials. */
import { html, useMemo, useState } from "../lib.js";
import * as api from "../api.js";
import { Curves } from "../charts/curves.js";
import { CostPlane, costs } from "../charts/cost.js";
import { Incumbent } from "../charts/incumbent.js";
import { Parallel, bestOf, coordinates, kept } from "../charts/parallel.js";
import { PlanBar } from "../charts/plan.js";
import { useFeed } from "../feed.js";
import { count, duration, moment, named, plural, score, size, stopped } from "../format.js";
import { Choice, Figure, Panel, Problem, State, useLoaded, useNow, usePoll } from "../parts.js";
import { to } from "../route.js";
import { OVER } from "../states.js";
import { Trials } from "../table.js";
import { Actions } from "./actions.js";
import { trialsDone } from "./jobs.js";

/** @import { JobDetail, JobEvent } from "../types.js" */
/** @import { TrialTable } from "../trials.js" */
/** @import { Brushes } from "../charts/parallel.js" */


/** @param {{id: string}} props */
export function JobPage({ id }) {
  const { job, table, ready, live, error, notes, setJob } = useFeed(id);
  const now = useNow(job !== undefined && !OVER.has(job.state));
  if (job === undefined) return error ? html`<div class="pad"><${Problem} error=${error} /><p><a href="#/jobs">All jobs</a></p></div>` : html`<p class="quiet pad">Loads…</p>`;
  const changed = (/** @type {JobDetail | null} */ found) => {
    if (found === null) location.hash = "#/jobs";
    else setJob(found);
  };
  return html`<div class="page">
    <${Head} job=${job} now=${now} live=${live} changed=${changed} />
    <${Problem} error=${error} />
    ${notes.length > 0 && html`<${Notes} notes=${notes} />`}
    <${PlanBar} job=${job} now=${now} />
    ${job.running.length > 0 && html`<${RunningTrials} job=${job} />`}
    ${ready ? html`<${Views} job=${job} table=${table} />` : html`<p class="quiet">Loads the trials…</p>`}
    ${job.finalists.length > 0 && html`<${Finalists} job=${job} />`}
    <${Log} job=${job} />
  </div>`;
}

/** @param {{job: JobDetail, now: number, live: boolean, changed: (job: JobDetail | null) => void}} props */
function Head({ job, now, live, changed }) {
  const over = OVER.has(job.state);
  const best = job.best;
  return html`<div class="job-head">
    <p class="crumbs"><a href="#/jobs">Jobs</a> / <span class="mono">${job.id.slice(0, 8)}</span></p>
    <div class="row head"><h1>${job.name}</h1> <${State} state=${job.state} />
      ${!live && !over && html`<span class="warn-text" role="status">connection lost, tries again…</span>`}
      <span class="grow"></span>
      ${job.state === "succeeded" && html`<a class="button main" href=${to.result(job.id)}>Result</a>`}
      ${job.bundle && html`<a class="button" href=${api.urls.bundle(job.id)} download>Bundle${job.bundle.provisional ? " so far" : ""} (${size(job.bundle.bytes)})</a>`}
      ${job.mlflow_url && html`<a class="button" href=${job.mlflow_url} target="_blank" rel="noreferrer">MLflow ↗</a>`}
    </div>
    <p class="now" role="status">${sentence(job)}</p>
    ${job.dataset_changed && html`<p class="warn-text">${job.dataset_changed}</p>`}
    <${Actions} job=${job} changed=${changed} />
    <dl class="figures">
      <${Figure} name="best search score" title="on the validation split">${best ? html`${score(best.search_score)} <a class="small-link" href=${to.trial(job.id, best.trial)}>trial ${best.trial}</a>` : "–"}<//>
      ${job.final_score !== null && html`<${Figure} name="final score" title="measured once, on the test split">${score(job.final_score)}<//>`}
      <${Figure} name="trials ended">${trialsDone(job)}<//>
      <${Figure} name=${over ? "time used" : "time used / left"}>${duration(job.progress.seconds_used)}${over ? "" : ` / ${duration(job.progress.seconds_left)}`}<//>
      <${Figure} name="data set"><a href=${to.dataset(job.dataset)}>${job.dataset}</a><//>
      <${Figure} name="space">${job.spec.space.name ?? "own"}<//>
      <${Figure} name="controller">${job.spec.controller.name}<//>
      <${Figure} name="goal">${goal(job)}<//>
      <${Figure} name=${over ? "ended" : "started"}>${moment(over ? job.finished_at : job.started_at, new Date(now))}<//>
    </dl>
  </div>`;
}

/** @param {JobDetail} job */
function goal(job) {
  const { maximize, minimize, constraints } = job.spec.objective;
  const parts = [...maximize.map((name) => `max ${name}`), ...minimize.map((name) => `min ${name}`), ...constraints];
  return parts.join(", ").replaceAll("_", " ");
}

/** What the job does, or how it ended. @param {JobDetail} job */
function sentence(job) {
  if (!OVER.has(job.state)) return `This job ${job.doing}.`;
  const end = job.stopped_because ? `Its search ended because ${stopped(job.stopped_because)}.` : "";
  return job.reason ? `${job.reason}. ${end}` : end;
}

/** @param {{notes: JobEvent[]}} props */
function Notes({ notes }) {
  return html`<div class="note" role="status"><ul>${notes.slice(-5).map((event) => html`<li>${moment(event.at)} · trial ${event.data.number}: ${event.data.detail}</li>`)}</ul></div>`;
}

/** @param {{job: JobDetail}} props */
function RunningTrials({ job }) {
  return html`<${Panel} title="Running now">
    <ul class="running">${job.running.map((trial) => html`<li>
      <a href=${to.trial(job.id, trial.trial)}>trial ${trial.trial}</a>
      <span class="quiet">${count(trial.params)} parameters</span>
      <span>epoch ${trial.epochs}${trial.epochs_total === null ? "" : ` of ${trial.epochs_total}`}</span>
      <strong>${score(trial.scores[trial.scores.length - 1])}</strong></li>`)}</ul>
  <//>`;
}

/** @param {{job: JobDetail, table: TrialTable}} props */
function Views({ job, table }) {
  const [x, setX] = useState("trials");
  const [cost, setCost] = useState("params");
  const [brushes, setBrushes] = useState(/** @type {Brushes} */ ({}));
  const axes = useMemo(() => coordinates(table), [table.version]);
  const only = useMemo(() => kept(axes, brushes), [axes, brushes]);
  const open = (/** @type {number} */ number) => (location.hash = to.trial(job.id, number));
  const start = Date.parse(job.started_at ?? job.created_at) / 1000;
  const best = job.best?.trial ?? null;
  if (table.rows === 0) return html`<div class="empty small-empty"><p>No trials yet. ${OVER.has(job.state) ? "" : "They appear here as soon as the search starts."}</p></div>`;
  const names = costs(table);
  return html`
    <div class="grid-2">
      <${Panel} title="Best score so far" side=${html`<${Choice} label="Horizontal axis" value=${x} onChange=${setX} options=${[["trials", "by trials"], ["time", "by time"]]} />`}>
        <${Incumbent} table=${table} byTime=${x === "time"} start=${start} /><//>
      <${Panel} title="Score and cost" side=${html`<${Choice} label="Cost" value=${cost} onChange=${setCost} options=${names.map((name) => [name, named(name)])} />`}>
        <${CostPlane} table=${table} cost=${cost} only=${only} open=${open} />
        <p class="legend"><span class="mark mark-line"></span>Pareto front <span class="mark mark-ring"></span>drawn at random <span class="mark mark-dot"></span>other trials</p><//>
      <${Panel} title="Learning curves">
        <${Curves} table=${table} best=${best} open=${open} />
        <p class="legend"><span class="mark mark-line"></span>best trial <span class="mark mark-run"></span>running <span class="mark mark-dot"></span>others</p><//>
      <${Panel} title="Decisions and score" side=${Object.keys(brushes).length > 0 && html`<button type="button" class="small" onClick=${() => setBrushes({})}>Show all</button>`}>
        ${axes.length > 1 ? html`<${Parallel} table=${table} axes=${axes} brushes=${brushes} only=${only} onBrush=${setBrushes} />
        <p class="legend one"><span class="mark mark-line"></span>best ${plural(bestOf(table.scored().length), "trial")}. Draw on an axis to keep some trials${only === null ? "." : `: ${plural(only.size, "trial")} kept, also in the table and in “Score and cost”.`}</p>`
          : html`<p class="quiet">The trials do not differ in any decision yet.</p>`}<//>
    </div>
    <${Panel} title="Trials"><${Trials} table=${table} jobId=${job.id} best=${best} only=${only} /><//>`;
}

/** @param {{job: JobDetail}} props */
function Finalists({ job }) {
  /** @type {Record<string, string>} */
  const roles = { finalist: "finalist", baseline: "baseline", random: "best random", fidelity: "ranking check" };
  return html`<${Panel} title="Final trainings">
    <div class="scroll" tabindex="0" role="region" aria-label="Table of final trainings"><table class="list">
      <thead><tr><th scope="col">Role</th><th scope="col" class="num">Rank</th><th scope="col" class="num">Trial</th><th scope="col" class="num">Seed</th><th scope="col">State</th>
        <th scope="col" class="num">Final score</th><th scope="col" class="num">Epochs</th><th scope="col" class="num">Time</th><th scope="col">Reason</th></tr></thead>
      <tbody>${job.finalists.map((row) => html`<tr key=${`${row.rank}/${row.seed}`}><td>${roles[row.role] ?? row.role}</td><td class="num">${row.rank}</td>
        <td class="num"><a href=${to.trial(job.id, row.trial)}>${row.trial}</a></td><td class="num">${row.seed}</td><td><${State} state=${row.state} /></td>
        <td class="num">${score(row.test_score)}</td><td class="num">${row.epochs}</td><td class="num">${duration(row.seconds)}</td><td class="words">${row.reason}</td></tr>`)}</tbody>
    </table></div><//>`;
}

/** The last lines of the log, once it is opened. @param {{job: JobDetail}} props */
function Log({ job }) {
  const [open, setOpen] = useState(false);
  return html`<details class="panel" onToggle=${(/** @type {any} */ event) => setOpen(event.currentTarget.open)}>
    <summary><h2>Log</h2></summary>${open && html`<${LogLines} job=${job} />`}</details>`;
}

/** @param {{job: JobDetail}} props */
function LogLines({ job }) {
  const { value, error, again } = useLoaded(() => api.log(job.id, 300), [job.id]);
  usePoll(again, 3000, !OVER.has(job.state));
  if (error) return html`<${Problem} error=${error} />`;
  return html`<pre class="log" tabindex="0" aria-label="Last lines of the log">${value === undefined ? "Loads…" : value || "The log is empty."}</pre>`;
}
