/** All jobs. */
import { html, useMemo, useState } from "../lib.js";
import * as api from "../api.js";
import { duration, moment, plural, score } from "../format.js";
import { Problem, State, useLoaded, useNow, usePoll } from "../parts.js";
import { to } from "../route.js";

/** @import { Job } from "../types.js" */

/** As many as the page of comparisons has colours for. */
export const MOST_COMPARED = 6;
const STATES = ["running", "queued", "paused", "succeeded", "failed", "cancelled"];

/** Jobs in one of the states whose name, data set, id or words have the text. @param {Job[]} jobs @param {string} state "" for all @param {string} text */
export function filtered(jobs, state, text) {
  const wanted = text.trim().toLowerCase();
  return jobs.filter((job) => {
    if (state !== "" && job.state !== state) return false;
    const words = [job.name, job.dataset, job.id, job.doing, job.reason ?? "", job.waiting_for ?? ""];
    return wanted === "" || words.some((word) => word.toLowerCase().includes(wanted));
  });
}

/** How many of its trials have ended, of how many where that is known. @param {Job} job */
export function trialsDone(job) {
  const trials = job.progress.trials;
  const ended = ["completed", "pruned", "infeasible", "failed", "cancelled"].reduce((sum, state) => sum + (trials[state] ?? 0), 0);
  return job.progress.trials_total === null ? String(ended) : `${ended} / ${job.progress.trials_total}`;
}

/** What a job does, or how it ended. @param {Job} job */
function words(job) {
  if (job.state === "running" || job.state === "paused") return job.doing;
  if (job.state === "queued") return job.waiting_for === null ? job.doing : `waits for ${job.waiting_for}`;
  return job.reason ?? "";
}

/** When the bundle is due, or when it was done. @param {Job} job @param {number} now */
function due(job, now) {
  if (job.state === "running") return html`<span title="time of its budget that is left">${moment(now + job.progress.seconds_left * 1000, new Date(now))}<br /><span class="quiet">in ${duration(job.progress.seconds_left)}</span></span>`;
  if (job.finished_at) return html`<span class="quiet">${moment(job.finished_at)}</span>`;
  return html`<span class="quiet">–</span>`;
}

/** @param {{job: Job, now: number, chosen: boolean, choose: (id: string, on: boolean) => void}} props */
function Row({ job, now, chosen, choose }) {
  const best = job.final_score ?? job.best?.search_score ?? null;
  return html`<tr>
    <td class="pick not-narrow"><input type="checkbox" checked=${chosen} aria-label=${`Compare ${job.name}`} onChange=${(/** @type {any} */ event) => choose(job.id, event.currentTarget.checked)} /></td>
    <td><a href=${to.job(job.id)}><strong>${job.name}</strong></a><br /><span class="quiet mono">${job.id.slice(0, 8)}</span></td>
    <td><${State} state=${job.state} />${job.wanted !== "run" && job.state === "running" ? html`<br /><span class="quiet">${job.wanted} asked</span>` : null}
      <span class="only-narrow quiet">${words(job)}</span></td>
    <td class="words not-narrow">${words(job)}</td>
    <td class="not-narrow"><a href=${to.dataset(job.dataset)}>${job.dataset}</a></td>
    <td class="num">${score(best)}${best === null ? null : html`<br /><span class="quiet">${job.final_score === null ? "search" : "final"}</span>`}</td>
    <td class="num not-narrow">${trialsDone(job)}</td>
    <td class="num not-narrow">${duration(job.progress.seconds_used)}</td>
    <td class="num">${due(job, now)}</td>
    <td class="not-narrow">${job.state === "succeeded" ? html`<a href=${to.result(job.id)}>result</a>` : null}</td>
  </tr>`;
}

function Nothing() {
  return html`<div class="empty">
    <h2>No jobs yet</h2>
    <p>A job searches for the best network for your data. Start with the digits that come with the service, or add your own pictures.</p>
    <p><a class="button main" href="#/new">New job</a> <a class="button" href="#/datasets">Data sets</a></p>
    <p class="quiet">By the command: <code>archsmith submit --dataset digits --space tiny --seconds 120 --watch</code></p>
  </div>`;
}

/** The list and what it is filtered by. */
export function Jobs() {
  const { value, error, again } = useLoaded((signal) => api.jobs(500, signal), []);
  const [state, setState] = useState("");
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(/** @type {string[]} */ ([]));
  const choose = (/** @type {string} */ id, /** @type {boolean} */ on) => setChosen((before) => (on ? [...before, id] : before.filter((other) => other !== id)));
  usePoll(again, 2000);
  const now = useNow(true);
  const shown = useMemo(() => filtered(value ?? [], state, text), [value, state, text]);
  const counts = useMemo(() => new Map(STATES.map((name) => [name, (value ?? []).filter((job) => job.state === name).length])), [value]);
  if (value === undefined) return error ? html`<div class="pad"><${Problem} error=${error} /></div>` : html`<p class="quiet pad">Loads…</p>`;
  return html`<div class="page">
    <div class="row head">
      <h1>Jobs</h1>
      <a class="button main" href="#/new">New job</a>
      ${chosen.length > 1 && html`<a class="button" href=${to.compare(chosen.slice(0, MOST_COMPARED))}>Compare ${Math.min(chosen.length, MOST_COMPARED)} jobs</a>`}
      <span class="grow"></span>
      ${value.length > 0 && html`<label>State <select value=${state} onChange=${(/** @type {any} */ event) => setState(event.currentTarget.value)}>
        <option value="">all (${value.length})</option>
        ${STATES.filter((name) => counts.get(name)).map((name) => html`<option value=${name}>${name} (${counts.get(name)})</option>`)}
      </select></label>
      <label>Find <input type="search" value=${text} placeholder="name, data set, id" onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /></label>`}
    </div>
    <${Problem} error=${error} />
    ${value.length === 0 ? html`<${Nothing} />` : html`<div class="scroll" tabindex="0" role="region" aria-label="Table of jobs">
      <table class="list jobs">
        <caption class="hidden">${plural(shown.length, "job")}</caption>
        <thead><tr><th scope="col" class="not-narrow"><span class="hidden">Compare</span></th><th scope="col">Job</th><th scope="col">State</th><th scope="col" class="not-narrow">Now</th><th scope="col" class="not-narrow">Data set</th><th scope="col" class="num">Best score</th>
          <th scope="col" class="num not-narrow">Trials</th><th scope="col" class="num not-narrow">Time used</th><th scope="col" class="num">Due / done</th><th scope="col" class="not-narrow"><span class="hidden">Result</span></th></tr></thead>
        <tbody>${shown.map((job) => html`<${Row} key=${job.id} job=${job} now=${now} chosen=${chosen.includes(job.id)} choose=${choose} />`)}</tbody>
      </table></div>
      ${shown.length === 0 && html`<p class="quiet">No job fits. <button type="button" class="link" onClick=${() => (setState(""), setText(""))}>Show all</button></p>`}`}
  </div>`;
}
