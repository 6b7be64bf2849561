/** All data sets, and the report of one. */
import { html, useState } from "../lib.js";
import * as api from "../api.js";
import { shape, size, whole } from "../format.js";
import { Ask, Panel, Problem, useLoaded } from "../parts.js";
import { to } from "../route.js";
import { DatasetReport } from "./dataset-report.js";
import { Upload } from "./upload.js";

/** @import { Dataset } from "../types.js" */

/** @param {{chosen: string | null}} props */
export function Datasets({ chosen: name }) {
  const { value, error, again } = useLoaded(() => api.datasets(), [name]);
  const [asked, setAsked] = useState(/** @type {string | null} */ (null));
  const added = (/** @type {Dataset} */ data) => {
    again();
    location.hash = to.dataset(data.name);
  };
  if (value === undefined) return error ? html`<div class="pad"><${Problem} error=${error} /></div>` : html`<p class="quiet pad">Loads…</p>`;
  const one = name === null ? undefined : value.find((data) => data.name === name);
  return html`<div class="page">
    ${name !== null && html`<p class="crumbs"><a href="#/datasets">Data sets</a> / ${name}</p>`}
    ${asked !== null && html`<${Remove} name=${asked} close=${() => setAsked(null)} done=${() => (name === null ? again() : (location.hash = "#/datasets"))} />`}
    ${name !== null && one === undefined && html`<div class="empty"><h1>No data set ${name}</h1><p>It was removed, or never added.</p></div>`}
    ${one && html`<div class="row head"><h1>${one.name}</h1><span class="grow"></span>
        <a class="button main" href=${`#/new?${encodeURIComponent(one.name)}`}>New job with it</a>
        <button type="button" class="quiet-danger" onClick=${() => setAsked(one.name)}>Delete</button></div>
      <${DatasetReport} data=${one} />`}
    ${name === null && html`<div class="row head"><h1>Data sets</h1></div>
      <div class="scroll" tabindex="0" role="region" aria-label="Table of data sets"><table class="list jobs">
        <thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col" class="not-narrow">Shape</th><th scope="col" class="num">Classes</th><th scope="col" class="num">Samples</th>
          <th scope="col" class="num not-narrow">Size</th><th scope="col" class="num">Warnings</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>${value.map((data) => html`<tr key=${data.name}><td><a href=${to.dataset(data.name)}><strong>${data.name}</strong></a></td><td>${data.kind}</td><td class="not-narrow">${shape(data.input_shape)}</td>
          <td class="num">${data.classes}</td><td class="num">${whole(data.train + data.val + data.test)}</td><td class="num not-narrow">${size(data.bytes)}</td>
          <td class="num">${data.warnings.length > 0 ? html`<span class="warn-text">${data.warnings.length}</span>` : "none"}</td>
          <td><button type="button" class="small quiet-danger" aria-label=${`Delete ${data.name}`} onClick=${() => setAsked(data.name)}>Delete</button></td></tr>`)}</tbody>
      </table></div>
      <${Panel} title="Add a data set"><${Upload} added=${added} /><//>`}
    <${Problem} error=${error} />
  </div>`;
}

/** @param {{name: string, close: () => void, done: () => void}} props */
function Remove({ name, close, done }) {
  const [force, setForce] = useState(false);
  const run = async () => {
    await api.removeDataset(name, force);
    done();
  };
  return html`<${Ask} title=${`Delete the data set ${name}?`} verb="Delete" danger=${true} run=${run} close=${close}>
    <p>Its files are removed from the service. Jobs keep their reports and bundles, but cannot be extended, compressed or repeated without it.</p>
    <label><input type="checkbox" checked=${force} onChange=${(/** @type {any} */ event) => setForce(event.currentTarget.checked)} /> although jobs that have succeeded need it for that</label><//>`;
}
