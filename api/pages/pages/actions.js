/** The buttons of a job. What loses something is asked for first. */
import { html, useState } from "../lib.js";
import * as api from "../api.js";
import { Ask, Problem } from "../parts.js";
import { OVER } from "../states.js";

/** @import { JobDetail } from "../types.js" */
/** @typedef {"finish" | "extend" | "cancel" | "delete" | "pause" | "resume"} Verb */


/** What can be done with a job now. @param {JobDetail} job @returns {Verb[]} */
export function verbs(job) {
  if (OVER.has(job.state)) return ["extend", "delete"];
  /** @type {Verb[]} */
  const found = job.state === "paused" || job.wanted === "pause" ? ["resume"] : ["pause"];
  if (job.state === "running" && job.best !== null) found.push("finish");
  return [...found, "extend", "cancel"];
}

/** The new limits of a budget with so many minutes more. Jobs that are counted in epochs get trials. @param {JobDetail} job @param {number} more @returns {Record<string, number>} */
export function extended(job, more) {
  const budget = job.spec.budget;
  if (budget.epochs !== null) return { trials: (budget.trials ?? 0) + more };
  return { seconds: budget.seconds + more * 60 };
}

/** @param {{job: JobDetail, changed: (job: JobDetail | null) => void}} props */
export function Actions({ job, changed }) {
  const [asked, setAsked] = useState(/** @type {Verb | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const now = async (/** @type {"pause" | "resume"} */ verb) => {
    try {
      setError(null);
      changed(await api.steer(job.id, verb));
    } catch (failed) {
      setError(failed);
    }
  };
  const names = { pause: "Pause", resume: "Resume", finish: "Finish early", extend: "Extend", cancel: "Cancel", delete: "Delete" };
  const props = { job, changed, close: () => setAsked(null) };
  return html`<div class="row actions" role="group" aria-label="Actions">
    ${verbs(job).map((verb) => html`<button type="button" class=${verb === "cancel" || verb === "delete" ? "quiet-danger" : ""}
      onClick=${() => (verb === "pause" || verb === "resume" ? now(verb) : setAsked(verb))}>${names[verb]}</button>`)}
    <${Problem} error=${error} />
    ${asked === "finish" && html`<${Finish} ...${props} />`}
    ${asked === "extend" && html`<${Extend} ...${props} />`}
    ${asked === "cancel" && html`<${Ask} title="Cancel this job?" verb="Cancel the job" danger=${true} close=${props.close}
      run=${async () => changed(await api.steer(job.id, "cancel"))}>
      <p>The search ends without final trainings and without a report. Its measurements${job.bundle ? " and its provisional bundle" : ""} are kept.</p>
      ${job.best && html`<p>“Finish early” keeps what was found: it makes the bundle of the best trial so far.</p>`}<//>`}
    ${asked === "delete" && html`<${Ask} title="Delete this job?" verb="Delete the job" danger=${true} close=${props.close}
      run=${async () => (await api.removeJob(job.id), changed(null))}>
      <p>Its trials, log, report and bundle are removed from the service. This cannot be undone. Its runs in MLflow stay.</p><//>`}
  </div>`;
}

/** @param {{job: JobDetail, changed: (job: JobDetail) => void, close: () => void}} props */
function Finish({ job, changed, close }) {
  const [within, setWithin] = useState("");
  const run = async () => changed(await api.finish(job.id, within === "" ? null : Number(within) * 60));
  return html`<${Ask} title="Finish early?" verb="Finish now" run=${run} close=${close}>
    <p>The search ends now. Final trainings, report and bundle follow.</p>
    <label>Minutes for all that follows <input type="number" min="0.1" step="any" value=${within} placeholder="no limit"
      onInput=${(/** @type {any} */ event) => setWithin(event.currentTarget.value)} /></label>
    <p class="quiet">What does not fit is left out; the winner's first full training comes first.</p>
  <//>`;
}

/** @param {{job: JobDetail, changed: (job: JobDetail) => void, close: () => void}} props */
function Extend({ job, changed, close }) {
  const counted = job.spec.budget.epochs !== null;
  const [more, setMore] = useState(counted ? "20" : "10");
  const run = async () => changed(await api.extend(job.id, extended(job, Number(more))));
  return html`<${Ask} title="Extend the budget" verb="Extend" run=${run} close=${close}>
    <label>${counted ? "Trials" : "Minutes"} more <input type="number" min=${counted ? 1 : 0.1} step=${counted ? 1 : "any"} required value=${more}
      onInput=${(/** @type {any} */ event) => setMore(event.currentTarget.value)} /></label>
    ${OVER.has(job.state) && html`<p>The job goes back to the queue and its search goes on. Its bundle can be downloaded until the next one is there.</p>`}
  <//>`;
}
