/** Choosing a space: a preset, or a document of one's own that is checked while it is written. */
import { html, useEffect, useState } from "../lib.js";
import * as api from "../api.js";
import { count, measure, named } from "../format.js";
import { Choice, Problem } from "../parts.js";

/** @import { Dataset } from "../types.js" */
/** @typedef {{name: string, document: Record<string, any>}} Preset */

const PAUSE = 600;

/** Presets whose kind of data the data set has. A preset that names none serves images and volumes. @param {Preset[]} presets @param {Dataset | undefined} data */
export function fitting(presets, data) {
  if (data === undefined) return presets;
  return presets.filter(({ document }) => (document.data ? data.tasks.includes(document.data) : data.tasks.some((task) => task === "image" || task === "volume")));
}

/** 10^4.3 as a number, 10^86 as a power. @param {any} report */
export function sizeWords(report) {
  const about = report.size_exact ? "" : "about ";
  if (report.size !== null && report.size < 1e6) return `${report.size.toLocaleString("en-US")} architectures`;
  return `${about}10^${report.size_log10.toFixed(1)} decision paths`;
}

/** @param {{presets: Preset[], data: Dataset | undefined, space: string | Record<string, unknown>, onSpace: (space: string | Record<string, unknown>) => void, onValid: (valid: boolean) => void}} props */
export function SpaceChoice({ presets, data, space, onSpace, onValid }) {
  const [own, setOwn] = useState(typeof space !== "string");
  const [preset, setPreset] = useState(typeof space === "string" ? space : "chain");
  const [text, setText] = useState("");
  const [broken, setBroken] = useState(/** @type {string | null} */ (null));
  const shown = fitting(presets, data);
  const document = presets.find(({ name }) => name === preset)?.document;
  useEffect(() => {
    if (!own && shown.length > 0 && !shown.some(({ name }) => name === preset)) choose(shown[0].name);
  }, [data?.name]);
  const choose = (/** @type {string} */ name) => {
    setPreset(name);
    onSpace(name);
  };
  const write = (/** @type {string} */ written) => {
    setText(written);
    try {
      onSpace(JSON.parse(written));
      setBroken(null);
    } catch (error) {
      setBroken(error instanceof Error ? error.message : "this is no JSON");
      onValid(false);
    }
  };
  const turn = (/** @type {string} */ to) => {
    setOwn(to === "own");
    setBroken(null);
    if (to === "own") write(text || JSON.stringify(document ?? {}, null, 2));
    else onSpace(preset);
  };
  return html`
    <div class="row"><${Choice} label="Kind of space" value=${own ? "own" : "preset"} onChange=${turn} options=${[["preset", "preset"], ["own", "own document"]]} />
      ${!own && html`<label>Preset <select value=${preset} onChange=${(/** @type {any} */ event) => choose(event.currentTarget.value)}>
        ${shown.map(({ name }) => html`<option value=${name} selected=${name === preset}>${name}</option>`)}</select></label>`}</div>
    ${own ? html`<label class="stack">Space document as JSON (it begins as the preset ${preset})
        <textarea class="editor" spellcheck="false" value=${text} onInput=${(/** @type {any} */ event) => write(event.currentTarget.value)}></textarea></label>
        ${broken && html`<p class="problem" role="status">Not JSON yet: ${broken}</p>`}`
      : html`<details><summary>Document of the preset</summary><pre class="log" tabindex="0" aria-label="Document of the preset">${JSON.stringify(document, null, 2)}</pre></details>`}
    ${data && !broken && html`<${Check} space=${space} dataset=${data.name} onValid=${onValid} />`}`;
}

/** @param {{space: string | Record<string, unknown>, dataset: string, onValid: (valid: boolean) => void}} props */
function Check({ space, dataset, onValid }) {
  const [report, setReport] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [busy, setBusy] = useState(true);
  const key = JSON.stringify(space);
  useEffect(() => {
    const stop = new AbortController();
    setBusy(true);
    const timer = setTimeout(() => {
      api.validate(space, dataset, stop.signal).then(
        (found) => (setReport(found), setError(null), setBusy(false), onValid(true)),
        (failed) => {
          if (stop.signal.aborted) return;
          setError(failed);
          setBusy(false);
          onValid(false);
        },
      );
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [key, dataset]);
  if (error) return html`<${Problem} error=${error} />`;
  if (report === null) return html`<p class="quiet" role="status">Checks the space…</p>`;
  const costs = Object.entries(report.costs);
  return html`<div class=${busy ? "quiet" : ""} role="status"><p><strong>${sizeWords(report)}</strong>, ${Math.round(report.feasible_share * 1000) / 10} % of ${report.sampled} samples fit the constraints.</p></div>
    <div class="scroll"><table class="list"><thead><tr><th scope="col">Cost of samples</th><th scope="col" class="num">least</th><th scope="col" class="num">median</th><th scope="col" class="num">most</th></tr></thead>
      <tbody>${costs.map(([name, at]) => html`<tr><td>${named(name)}</td><td class="num">${cost(at.min)}</td><td class="num">${cost(at.p50)}</td><td class="num">${cost(at.max)}</td></tr>`)}</tbody></table></div>`;
}

/** @param {number} value */
function cost(value) {
  return value >= 1000 ? count(value) : measure(value);
}
