/** Try the winner on a picture. */
import { html, useEffect, useState } from "../lib.js";
import * as api from "../api.js";
import { Drop } from "../drop.js";
import { measure } from "../format.js";
import { Figure, Panel, Problem } from "../parts.js";
import { Bar } from "./result.js";

/** @import { Found } from "../drop.js" */
/**
 * A row of an answer: classes of one sample, labels that each hold by themselves, or values in the units of their targets.
 *
 * @typedef {{what: string, classes?: Record<string, number>, labels?: Record<string, number>, values?: Record<string, number>}} Row
 * @typedef {{rows: Row[], more?: number, remark?: string | null}} Answer
 */

/** The likeliest classes first. @param {Record<string, number>} classes @param {number} most @returns {[string, number][]} */
export function likeliest(classes, most) {
  return Object.entries(classes).sort((a, b) => b[1] - a[1]).slice(0, most);
}

/** @param {{row: Row, name: string}} props */
function Told({ row, name }) {
  const shares = row.classes ?? row.labels;
  return html`<h3>${answerName(row, name)}</h3>
    ${shares && html`<div class="bars">${likeliest(shares, 10).map(([label, share]) => html`<span class="name">${label}</span><${Bar} value=${share} /><span>${(share * 100).toFixed(1)} %</span>`)}</div>`}
    ${row.values && html`<dl class="figures">${Object.entries(row.values).map(([label, value]) => html`<${Figure} name=${label}>${measure(value)}<//>`)}</dl>`}`;
}

/** The service stores a file under a name of its own; a single row is of the file that was dropped. @param {Row} row @param {string} name */
export function answerName(row, name) {
  return /^(\/|part-|upload)/.test(row.what) || row.what === "" ? name : row.what;
}

/** @param {{id: string}} props */
export function TryIt({ id }) {
  const [picture, setPicture] = useState(/** @type {{url: string, name: string} | null} */ (null));
  const [answer, setAnswer] = useState(/** @type {Answer | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [gone, setGone] = useState(false);
  useEffect(() => () => (picture ? URL.revokeObjectURL(picture.url) : undefined), [picture]);
  const take = async (/** @type {Found[]} */ [{ file }]) => {
    setPicture({ url: URL.createObjectURL(file), name: file.name });
    setAnswer(null);
    setError(null);
    try {
      setAnswer(await api.predict(id, file));
    } catch (failed) {
      if (failed instanceof api.ApiError && failed.status === 404) setGone(true);
      else setError(failed);
    }
  };
  if (gone) return null;
  return html`<${Panel} title="Try it">
    <div class="try">
      <${Drop} label="A file for the winner" take=${take}><p>Drop a picture here to see the classes that the winner gives it.</p><//>
      <div class="try-answer" aria-live="polite">
        ${picture && html`<div class="row top-row"><img class="preview" src=${picture.url} alt="" />
          <div class="grow">${answer === null && !error ? html`<p class="quiet">Computes…</p>` : null}
            <${Problem} error=${error} />
            ${answer?.rows.map((row) => html`<${Told} row=${row} name=${picture.name} />`)}
            ${answer?.remark && html`<p class="warn-text">${answer.remark}</p>`}</div></div>`}
      </div>
    </div><//>`;
}
