/** A new job: data, space, controller, goal, budget, price; and the document that says it all. */
import { html, useEffect, useState } from "../lib.js";
import * as api from "../api.js";
import { BLANK, asCurl, asPython, asYaml, jobDocument } from "../document.js";
import { duration, named, plural, shape, size, whole } from "../format.js";
import { Choice, Code, Panel, Problem, useLoaded } from "../parts.js";
import { to } from "../route.js";
import { ControllerChoice } from "./controller.js";
import { DatasetReport } from "./dataset-report.js";
import { SpaceChoice } from "./space.js";
import { Upload } from "./upload.js";

/** @import { Dataset } from "../types.js" */
/** @import { Form } from "../document.js" */

/** @param {{dataset: string | null}} props */
export function NewJob({ dataset }) {
  const { value, error, again } = useLoaded(async () => {
    const [datasets, presets, controllers] = await Promise.all([api.datasets(), api.presets(), api.controllers()]);
    return { datasets, presets, controllers };
  }, []);
  const [form, setForm] = useState(/** @type {Form} */ ({ ...BLANK, dataset: dataset ?? "" }));
  const [valid, setValid] = useState(true);
  const change = (/** @type {Partial<Form>} */ some) => setForm((old) => ({ ...old, ...some }));
  useEffect(() => {
    if (value && !value.datasets.some(({ name }) => name === form.dataset)) change({ dataset: value.datasets[0]?.name ?? "" });
  }, [value]);
  if (value === undefined) return error ? html`<div class="pad"><${Problem} error=${error} /></div>` : html`<p class="quiet pad">Loads…</p>`;
  const data = value.datasets.find(({ name }) => name === form.dataset);
  const document = jobDocument(form);
  return html`<div class="page steps">
    <h1>New job</h1>
    <${Data} datasets=${value.datasets} data=${data} choose=${(/** @type {string} */ name) => change({ dataset: name })}
      added=${(/** @type {Dataset} */ made) => (again(), change({ dataset: made.name }))} />
    <${Panel} title="2. Space: what can be built"><${SpaceChoice} presets=${value.presets} data=${data} space=${form.space}
      onSpace=${(/** @type {any} */ space) => change({ space })} onValid=${setValid} /><//>
    <${Panel} title="3. Controller: how it is searched"><${ControllerChoice} controllers=${value.controllers} name=${form.controller} options=${form.options}
      onChange=${(/** @type {string} */ controller, /** @type {any} */ options) => change({ controller, options })} /><//>
    <${Panel} title="4. Budget and goal"><${Budget} form=${form} change=${change} /><//>
    <${Start} document=${document} ready=${data !== undefined && valid} />
    <${Documents} document=${document} />
  </div>`;
}

/** @param {{datasets: Dataset[], data: Dataset | undefined, choose: (name: string) => void, added: (data: Dataset) => void}} props */
function Data({ datasets, data, choose, added }) {
  const [how, setHow] = useState("there");
  const [fresh, setFresh] = useState(/** @type {string | null} */ (null));
  const done = (/** @type {Dataset} */ made) => {
    setFresh(made.name);
    setHow("there");
    added(made);
  };
  return html`<${Panel} title="1. Data set" side=${html`<${Choice} label="Data set" value=${how} onChange=${setHow} options=${[["there", "choose"], ["add", "add one"]]} />`}>
    ${how === "add" ? html`<${Upload} added=${done} />` : html`
      <div class="row"><label>Data set <select value=${data?.name ?? ""} onChange=${(/** @type {any} */ event) => choose(event.currentTarget.value)}>
        ${datasets.map(({ name }) => html`<option value=${name} selected=${name === data?.name}>${name}</option>`)}</select></label>
      ${data && html`<span class="quiet">${shape(data.input_shape)}, ${plural(data.classes, "class", "classes")}, ${whole(data.train + data.val + data.test)} samples</span>
        ${data.warnings.length > 0 && html`<span class="warn-text">${plural(data.warnings.length, "warning")}</span>`}`}</div>
      ${data && (fresh === data.name ? html`<${DatasetReport} data=${data} />` : html`<details><summary>Report of the check</summary><${DatasetReport} data=${data} /></details>`)}`}<//>`;
}

/** @param {{form: Form, change: (some: Partial<Form>) => void}} props */
function Budget({ form, change }) {
  const input = (/** @type {keyof Form} */ field) => (/** @type {any} */ event) => change({ [field]: event.currentTarget.value });
  const flag = (/** @type {keyof Form} */ field) => (/** @type {any} */ event) => change({ [field]: event.currentTarget.checked });
  const cost = ["params", "macs", "latency_ms", "peak_memory_mb", "energy_j"];
  return html`<div class="row"><${Choice} label="Kind of budget" value=${form.by} onChange=${(/** @type {any} */ by) => change({ by })} options=${[["time", "time until the bundle"], ["trials", "number of trials"]]} /></div>
    <div class="fields gap">
      ${form.by === "time" ? html`<label>Minutes, from start to bundle <input type="number" min="0.5" step="any" required value=${form.minutes} onInput=${input("minutes")} /></label>`
        : html`<label>Trials <input type="number" min="1" required value=${form.trials} onInput=${input("trials")} /></label>
          <label>Epochs of each <input type="number" min="1" required value=${form.epochs} onInput=${input("epochs")} /></label>`}
      <label>Name of the job <input value=${form.name} placeholder="search" onInput=${input("name")} /></label>
      <label>Also make small <select value=${form.minimize} onChange=${input("minimize")}><option value="">nothing: the score alone counts</option>
        ${cost.map((name) => html`<option value=${name} selected=${form.minimize === name}>${named(name)}</option>`)}</select></label>
      <label>Seed <input type="number" min="0" value=${form.seed} onInput=${input("seed")} /></label>
    </div>
    <div class="row gap"><label class="stack grow">Constraints, one a line
      <textarea rows="2" placeholder="params <= 200000" value=${form.constraints} onInput=${input("constraints")}></textarea></label>
      <label><input type="checkbox" checked=${form.compress} onChange=${flag("compress")} /> make the winner smaller afterwards (compress)</label>
      <label><input type="checkbox" checked=${form.reproducible} onChange=${flag("reproducible")} /> reproducible, at the cost of speed</label></div>`;
}

/** @param {{document: Record<string, unknown>, ready: boolean}} props */
function Start({ document, ready }) {
  const [price, setPrice] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [busy, setBusy] = useState("");
  const key = JSON.stringify(document);
  useEffect(() => (setPrice(null), setError(null)), [key]);
  const ask = async (/** @type {string} */ what, /** @type {() => Promise<void>} */ run) => {
    setBusy(what);
    setError(null);
    try {
      await run();
    } catch (failed) {
      setError(failed);
    }
    setBusy("");
  };
  return html`<${Panel} title="5. Price and start">
    <div class="row">
      <button type="button" disabled=${!ready || busy !== ""} onClick=${() => ask("price", async () => setPrice(await api.price(document)))}>${busy === "price" ? "Measures on this machine…" : "What will it buy?"}</button>
      <button type="button" class="main" disabled=${!ready || busy !== ""} onClick=${() => ask("start", async () => (location.hash = to.job((await api.submit(document)).id), undefined))}>${busy === "start" ? "Starts…" : "Start the job"}</button>
      ${!ready && html`<span class="quiet">The space is not valid yet.</span>`}
      ${busy === "price" && html`<span class="quiet" role="status">A short calibration trial runs; about ten seconds.</span>`}
    </div>
    <${Problem} error=${error} />
    ${price && html`<${Price} price=${price} />`}<//>`;
}

/** Low to high where they differ. @param {{low: number, expected: number, high: number}} of @param {(value: number) => string} words */
function between(of, words) {
  const [low, high] = [words(of.low), words(of.high)];
  return low === high ? low : `${low} to ${high}`;
}

/** @param {{price: any}} props */
function Price({ price }) {
  const phases = Object.entries(price.phases);
  return html`<div role="status">
    <p class="verdict">About <strong>${plural(Math.round(price.trials.expected), "trial")}</strong> (${between(price.trials, (value) => whole(value))}), ${price.trials_at_once} at a time, and ${plural(price.trainings, "full training")}, in <strong>${between(price.seconds, duration)}</strong>. Files: ${between(price.disk_bytes, size)}.</p>
    ${price.warnings.length > 0 && html`<ul class="note">${price.warnings.map((/** @type {string} */ text) => html`<li>${text}</li>`)}</ul>`}
    <table class="list"><thead><tr><th scope="col">Phase</th><th scope="col" class="num">Time</th></tr></thead>
      <tbody>${phases.map(([name, time]) => html`<tr><td>${name.replaceAll("_", " ")}</td><td class="num">${between(time, duration)}</td></tr>`)}</tbody></table></div>`;
}

/** @param {{document: Record<string, unknown>}} props */
function Documents({ document }) {
  const [as, setAs] = useState("curl");
  const text = as === "curl" ? asCurl(document, location.origin) : as === "python" ? asPython(document, location.origin) : asYaml(document);
  return html`<${Panel} title="The same job elsewhere" side=${html`<${Choice} label="Language" value=${as} onChange=${setAs} options=${[["curl", "as curl"], ["python", "as Python"], ["yaml", "as YAML"]]} />`}>
    <${Code} text=${text} label="The job as a document" />
    ${as === "yaml" && html`<p class="quiet">Save it as <code>job.yaml</code>, then <code>archsmith submit job.yaml --watch</code></p>`}<//>`;
}
