/** One trial: its architecture, its decisions, its learning curve. */
import { html } from "../lib.js";
import * as api from "../api.js";
import { OneCurve } from "../charts/curves.js";
import { count, duration, measure, named, score, shape, whole } from "../format.js";
import { Figure, Panel, Problem, State, useLoaded, usePoll } from "../parts.js";
import { to } from "../route.js";
import { ENDED, origin } from "../trials.js";

/** @import { ArchitectureNode, Trial } from "../types.js" */

const PICTURE = "/v1/jobs/{job_id}/trials/{number}/picture.svg";

/** @param {{id: string, number: number}} props */
export function TrialPage({ id, number }) {
  const { value: trial, error, again } = useLoaded((signal) => api.trial(id, number, signal), [id, number]);
  const { value: pictured } = useLoaded(() => api.offers(PICTURE), []);
  usePoll(again, 2000, trial !== undefined && !ENDED.has(trial.state));
  const crumbs = html`<p class="crumbs"><a href="#/jobs">Jobs</a> / <a class="mono" href=${to.job(id)}>${id.slice(0, 8)}</a> / trial ${number}</p>`;
  if (trial === undefined) return html`<div class="page">${crumbs}${error ? html`<${Problem} error=${error} />` : html`<p class="quiet">Loads…</p>`}</div>`;
  const points = (trial.measurements ?? []).map((row) => /** @type {[number, number]} */ ([row.epoch, row.score]));
  return html`<div class="page">
    ${crumbs}
    <div class="row head"><h1>Trial ${number}</h1> <${State} state=${trial.state} /><span class="grow"></span>
      ${trial.mlflow_url && html`<a class="button" href=${trial.mlflow_url} target="_blank" rel="noreferrer">MLflow ↗</a>`}</div>
    ${trial.reason && html`<p class="now">${trial.reason}</p>`}
    <${Figures} trial=${trial} />
    <div class="grid-2">
      <${Panel} title="Learning curve">${points.length > 0 ? html`<${OneCurve} points=${points} />` : html`<p class="quiet">No epoch has been scored.</p>`}
        ${points.length > 0 && html`<${Epochs} trial=${trial} />`}<//>
      <${Panel} title="Decisions"><${Decisions} trial=${trial} /><//>
    </div>
    ${pictured && html`<${Panel} title="Architecture"><div class="picture scroll" tabindex="0" role="region" aria-label="Picture of the architecture">
      <img src=${api.urls.picture(id, number)} alt=${`Graph of the ${trial.architecture.nodes.length} operations of trial ${number}; the table of layers has them in words`} /></div><//>`}
    <${Layers} trial=${trial} />
  </div>`;
}

/** @param {{trial: Trial}} props */
function Figures({ trial }) {
  return html`<dl class="figures">
    <${Figure} name="search score" title="on the validation split">${score(trial.search_score)}<//>
    <${Figure} name="parameters" title=${whole(trial.params)}>${count(trial.params)}<//>
    <${Figure} name="MACs" title=${whole(trial.macs)}>${count(trial.macs)}<//>
    ${trial.peak_memory_mb != null && html`<${Figure} name="memory of a step">${measure(trial.peak_memory_mb)} MB<//>`}
    ${Object.entries(trial.measures).map(([name, value]) => html`<${Figure} name=${named(name)}>${measure(value)}<//>`)}
    <${Figure} name="epochs">${trial.epochs}<//>
    <${Figure} name="time">${duration(trial.seconds)}<//>
    <${Figure} name="from">${origin(trial.provenance)}<//>
    ${trial.attempts > 1 && html`<${Figure} name="attempts">${trial.attempts}<//>`}
    <${Figure} name="hash"><span class="mono">${trial.hash.slice(0, 12)}</span><//>
  </dl>`;
}

/** @param {{trial: Trial}} props */
function Epochs({ trial }) {
  const rows = trial.measurements ?? [];
  return html`<details><summary>All epochs as numbers</summary><table class="list">
    <thead><tr><th scope="col" class="num">Epoch</th><th scope="col" class="num">Score</th><th scope="col" class="num">Training loss</th><th scope="col" class="num">Time</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr><td class="num">${row.epoch}</td><td class="num">${score(row.score)}</td><td class="num">${score(row.train_loss)}</td><td class="num">${duration(row.seconds)}</td></tr>`)}</tbody>
  </table></details>`;
}

/** @param {{trial: Trial}} props */
function Decisions({ trial }) {
  const names = Object.keys(trial.choices).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  if (names.length === 0) return html`<p class="quiet">This space has no decisions.</p>`;
  return html`<div class="scroll tall" tabindex="0" role="region" aria-label="Table of decisions"><table class="list">
    <thead><tr><th scope="col">Decision</th><th scope="col">Option</th></tr></thead>
    <tbody>${names.map((name) => html`<tr><td class="mono">${name}</td><td>${String(trial.choices[name])}</td></tr>`)}</tbody></table></div>`;
}

/** The attributes of an operation as words: kernel 3, stride 2. @param {ArchitectureNode} node */
export function attributes(node) {
  return Object.entries(node.attrs ?? {})
    .filter(([, value]) => value !== null && value !== false)
    .map(([name, value]) => (value === true ? name.replaceAll("_", " ") : `${name.replaceAll("_", " ")} ${Array.isArray(value) ? value.join(" × ") : typeof value === "object" ? JSON.stringify(value) : value}`))
    .join(", ");
}

/** @param {{trial: Trial}} props */
function Layers({ trial }) {
  const nodes = trial.architecture.nodes ?? [];
  const shaped = nodes.some((node) => node.shape);
  return html`<${Panel} title=${`Layers (${nodes.length})`}><div class="scroll tall" tabindex="0" role="region" aria-label="Table of layers"><table class="list">
    <thead><tr><th scope="col">Name</th><th scope="col">Operation</th><th scope="col">Attributes</th>${shaped && html`<th scope="col">Output shape</th>`}<th scope="col">Reads</th></tr></thead>
    <tbody>${nodes.map((node) => html`<tr><td class="mono">${node.name}</td><td>${node.op}</td><td class="words">${attributes(node)}${node.weights ? ` weights of ${node.weights}` : ""}</td>
      ${shaped && html`<td class="mono">${shape(node.shape)}</td>`}<td class="mono quiet">${(node.inputs ?? []).join(", ")}</td></tr>`)}</tbody></table></div><//>`;
}
