/** The result of a job: what was found, how sure that is, and the bundle. */
import { html } from "../lib.js";
import * as api from "../api.js";
import { count, duration, score, size, stopped, whole } from "../format.js";
import { Code, Figure, Panel, Problem, State, useLoaded } from "../parts.js";
import { to } from "../route.js";
import { wilson } from "../wilson.js";
import { TryIt } from "./try.js";

/** @import { JobDetail } from "../types.js" */
/** @typedef {any} Report  documented by /v1/reports/schema */

const PREDICT = "/v1/jobs/{job_id}/predict";
/** @type {Record<string, string>} */
const SCORES = { accuracy: "accuracy", balanced_accuracy: "balanced accuracy", auc: "area under the ROC curve" };
/** @type {Record<string, string>} */
const SIMPLE = { linear: "linear model", boosted: "boosted trees", constant: "the largest class" };

/** @param {{id: string}} props */
export function Result({ id }) {
  const { value: job, error } = useLoaded((signal) => api.job(id, signal), [id]);
  const { value: report, error: missing } = useLoaded(async () => (job?.state === "succeeded" ? api.report(id) : undefined), [job?.state]);
  const { value: tries } = useLoaded(() => api.offers(PREDICT), []);
  const crumbs = html`<p class="crumbs"><a href="#/jobs">Jobs</a> / <a class="mono" href=${to.job(id)}>${id.slice(0, 8)}</a> / result</p>`;
  if (job === undefined) return html`<div class="page">${crumbs}${error ? html`<${Problem} error=${error} />` : html`<p class="quiet">Loads…</p>`}</div>`;
  return html`<div class="page">
    ${crumbs}
    <div class="row head"><h1>${job.name}: result</h1> <${State} state=${job.state} /><span class="grow"></span>
      ${job.bundle && html`<a class="button main" href=${api.urls.bundle(id)} download>Download the bundle (${size(job.bundle.bytes)})</a>`}
      ${job.state === "succeeded" && html`<a class="button" href=${api.urls.report(id)} target="_blank" rel="noreferrer">Whole report ↗</a>`}
      ${job.mlflow_url && html`<a class="button" href=${job.mlflow_url} target="_blank" rel="noreferrer">MLflow ↗</a>`}</div>
    <${Problem} error=${missing} />
    ${job.state !== "succeeded" && html`<${NotYet} job=${job} />`}
    ${report && html`<${Found} job=${job} report=${report} />`}
    ${tries && job.bundle && html`<${TryIt} id=${id} />`}
    ${job.bundle && html`<${Take} job=${job} />`}
  </div>`;
}

/** @param {{job: JobDetail}} props */
function NotYet({ job }) {
  const held = job.bundle?.provisional;
  return html`<div class="empty"><h2>${job.state === "failed" || job.state === "cancelled" ? "This job has no final result" : "The result is not there yet"}</h2>
    <p>${job.reason ?? `The job ${job.doing}.`}</p>
    ${held && html`<p>There is a provisional bundle: trial ${held.trial} after ${held.epochs} of ${held.epochs_total} epochs, search score ${score(held.search_score)}.</p>
      ${held.missing.map((text) => html`<p class="quiet">${text}</p>`)}`}
    <p><a href=${to.job(job.id)}>Follow the job</a></p></div>`;
}

/** What the final score is worth, in words. @param {Report} report @returns {string[]} */
export function certainty(report) {
  const sentences = [];
  const winner = report.winner.trial;
  const trainings = report.finalists.filter((/** @type {any} */ row) => row.trial === winner).length;
  if (report.final_score_sd !== null) sentences.push(`The mean of ${trainings} trainings, which differ by a standard deviation of ${score(report.final_score_sd)}.`);
  else sentences.push("Trained once in full: how much another training would differ is not known.");
  const samples = report.dataset?.sizes?.test;
  if (report.score === "accuracy" && samples) {
    const [low, high] = wilson(report.final_score, samples);
    sentences.push(`The test split has ${whole(samples)} samples: with so many, the accuracy on all data of this kind is ${score(low)} to ${score(high)} (95 % interval of the sampling alone).`);
  } else if (samples) sentences.push(`Measured once, on the ${whole(samples)} samples of the test split.`);
  return sentences;
}

/** @param {{job: JobDetail, report: Report}} props */
function Found({ job, report }) {
  const winner = report.winner;
  const gains = [...Object.values(report.gains ?? {}), report.random_draws].filter((gain) => gain?.words);
  const other = Object.entries(report.measures ?? {}).filter(([name]) => name !== report.score);
  return html`
    <dl class="figures">
      <${Figure} name=${`final score (${SCORES[report.score] ?? report.score})`} title="measured once, on the test split"><strong>${score(report.final_score)}</strong><//>
      <${Figure} name="search score" title="on the validation split">${score(report.search_score)}<//>
      ${other.map(([name, value]) => html`<${Figure} name=${SCORES[name] ?? name.replaceAll("_", " ")}>${score(/** @type {number} */ (value))}<//>`)}
      <${Figure} name="winner"><a href=${to.trial(job.id, winner.trial)}>trial ${winner.trial}</a><//>
      <${Figure} name="parameters" title=${whole(winner.params)}>${count(winner.params)}<//>
      <${Figure} name="MACs" title=${whole(winner.macs)}>${count(winner.macs)}<//>
      <${Figure} name="time used">${duration(job.progress.seconds_used)}<//>
    </dl>
    <${Warnings} warnings=${report.warnings ?? []} />
    <div class="grid-2">
      <${Panel} title="How sure is that?">
        <ul>${certainty(report).map((text) => html`<li>${text}</li>`)}</ul>
        ${gains.length > 0 && html`<h3>Gains</h3><ul>${gains.map((gain) => html`<li>${upper(gain.words)}.</li>`)}</ul>`}
        ${report.fidelity?.words && html`<h3>Do short trainings predict full ones?</h3><p>${upper(report.fidelity.words)}.</p>`}
        <p class="quiet">The winner was chosen by ${report.chosen_by}.${report.stopped_because ? ` The search ended because ${stopped(report.stopped_because)}.` : ""}</p><//>
      <${Panel} title="Simple models on the same data"><${Simple} report=${report} /><//>
      ${report.answers?.problem === "classification" && html`<${Panel} title="Score of each class"><${Classes} answers=${report.answers} /><//>`}
      ${report.answers?.confused?.length > 0 && html`<${Panel} title="Classes that are confused most"><${Confused} answers=${report.answers} /><//>`}
      <${Panel} title="Full trainings"><${Trainings} report=${report} /><//>
      ${report.compression ? html`<${Panel} title="The smaller model"><${Smaller} small=${report.compression} /><//>` : html`<${Panel} title="Time and cost"><${Costs} report=${report} /><//>`}
    </div>`;
}

/** @param {string} text */
function upper(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1).replace(/\.$/, "");
}

/** @param {{warnings: string[]}} props */
function Warnings({ warnings }) {
  if (warnings.length === 0) return null;
  return html`<section class="note" aria-label="Warnings"><h2>What to know before you rely on it</h2><ul>${warnings.map((text) => html`<li>${upper(text)}.</li>`)}</ul></section>`;
}

/** A bar for a score from 0 to 1. @param {{value: number}} props */
export function Bar({ value }) {
  return html`<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="rest" width="100" height="10" /><rect width=${Math.max(0, Math.min(1, value)) * 100} height="10" /></svg>`;
}

/** @param {{report: Report}} props */
function Simple({ report }) {
  const simple = report.simple_models;
  if (!simple) return html`<p class="quiet">No simple models were trained.</p>`;
  return html`<p>${upper(simple.words)}.</p>
    <div class="bars">
      <span class="name"><strong>winner</strong></span><${Bar} value=${report.final_score} /><span>${score(report.final_score)}</span>
      ${simple.models.map((/** @type {any} */ row) => html`<span class="name">${SIMPLE[row.name] ?? row.name.replaceAll("_", " ")}</span>
        ${row.final_score === null ? html`<span class="quiet">${row.reason}</span><span>–</span>` : html`<${Bar} value=${row.final_score} /><span>${score(row.final_score)}</span>`}`)}
    </div>
    <p class="quiet">Final scores, all on the same test split.</p>`;
}

/** Recall of each class, the lowest first. @param {{answers: any}} props */
function Classes({ answers }) {
  const rows = answers.classes.map((/** @type {any} */ row, /** @type {number} */ place) => ({ ...row, name: answers.columns[place] }));
  rows.sort((/** @type {any} */ a, /** @type {any} */ b) => (a.recall ?? 2) - (b.recall ?? 2));
  return html`<div class="bars">${rows.map((/** @type {any} */ row) => html`<span class="name" title=${`${whole(row.samples)} samples`}>${row.name}</span>
      ${row.recall === null ? html`<span class="quiet">no sample</span><span>–</span>` : html`<${Bar} value=${row.recall} /><span>${score(row.recall)}</span>`}`)}</div>
    <p class="quiet">The share of each class's samples of the test split that are answered as it. The report has the confusion matrix.</p>`;
}

/** @param {{answers: any}} props */
function Confused({ answers }) {
  const pictures = answers.confused.some((/** @type {any} */ pair) => pair.example.picture);
  return html`<div class="scroll"><table class="list">
    <thead><tr><th scope="col">True class</th><th scope="col">Answer</th><th scope="col" class="num">Samples</th>${pictures && html`<th scope="col">Example</th>`}</tr></thead>
    <tbody>${answers.confused.map((/** @type {any} */ pair) => html`<tr><td>${answers.columns[pair.truth]}</td><td>${answers.columns[pair.answer]}</td><td class="num">${whole(pair.samples)}</td>
      ${pictures && html`<td>${pair.example.picture && html`<img class="thumb" src=${`data:image/png;base64,${pair.example.picture}`} alt=${`row ${pair.example.row} of the test split`} title=${`row ${pair.example.row}, answered with ${score(pair.example.probability)}`} />`}</td>`}</tr>`)}</tbody></table></div>
    <p class="quiet">Each with the wrong answer of highest confidence: the sample is hard to tell, or labelled wrong.</p>`;
}

/** @param {{report: Report}} props */
function Trainings({ report }) {
  /** @type {Record<string, string>} */
  const roles = { finalist: "finalist", baseline: "baseline", random: "best random", fidelity: "ranking check" };
  const rows = [...(report.finalists ?? []), ...(report.references ?? [])];
  return html`<div class="scroll"><table class="list">
    <thead><tr><th scope="col">Role</th><th scope="col" class="num">Trial</th><th scope="col" class="num">Seed</th><th scope="col" class="num">Final score</th><th scope="col" class="num">Epochs</th><th scope="col" class="num">Time</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr><td>${roles[row.role] ?? row.role}</td><td class="num">${row.trial}</td><td class="num">${row.seed}</td><td class="num">${score(row.final_score)}</td><td class="num">${row.epochs}</td><td class="num">${duration(row.seconds)}</td></tr>`)}</tbody></table></div>`;
}

/** @param {{report: Report}} props */
function Costs({ report }) {
  return html`<div class="scroll"><table class="list">
    <thead><tr><th scope="col">Phase</th><th scope="col" class="num">Trainings</th><th scope="col" class="num">Epochs</th><th scope="col" class="num">Wall clock</th></tr></thead>
    <tbody>${report.costs.map((/** @type {any} */ row) => html`<tr><td>${row.phase.replaceAll("_", " ")}</td><td class="num">${row.trainings ?? "–"}</td><td class="num">${row.epochs ?? "–"}</td><td class="num">${duration(row.seconds)}</td></tr>`)}</tbody></table></div>`;
}

/** @param {{small: any}} props */
function Smaller({ small }) {
  if (small.failed) return html`<p>Compression failed: ${small.failed}.</p>`;
  return html`<p class="verdict"><strong>${score(small.final_score)}</strong> on the test split with ${size(small.bytes)} of weights, ${small.smaller.toFixed(1)} times fewer than the winner.</p>
    <table class="list"><thead><tr><th scope="col">Step</th><th scope="col">Kept</th><th scope="col" class="num">Validation score</th></tr></thead>
    <tbody>${small.steps.map((/** @type {any} */ step) => html`<tr><td>${step.name.replaceAll("_", " ")}</td><td>${step.kept ? "yes" : "no"}</td><td class="num">${score(step.validation_score)}</td></tr>`)}</tbody></table>`;
}

/** @param {{job: JobDetail}} props */
function Take({ job }) {
  const name = `${job.name}-${job.id.slice(0, 8)}${job.bundle?.provisional ? "-provisional" : ""}.zip`;
  const text = `archsmith download ${job.id} -o ${name}\narchsmith verify ${name}\narchsmith predict ${name} PICTURE.png`;
  return html`<${Panel} title="Use the bundle">
    <p>The bundle has the network as readable code (<code>model.py</code>), its weights, ONNX and torch.export files, a model card and the report. It needs torch alone.</p>
    <p><code>verify</code> checks every file and that all forms of the model agree.</p>
    <${Code} text=${text} label="Commands for the bundle" />
    ${job.bundle && html`<p class="quiet">SHA-256 <span class="mono wrap">${job.bundle.sha256}</span></p>`}<//>`;
}
