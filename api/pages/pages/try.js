/** Try the winner on a picture. */
import { html, useEffect, useState } from "../lib.js";
import * as api from "../api.js";
import { Drop } from "../drop.js";
import { Panel, Problem } from "../parts.js";
import { Bar } from "./result.js";

/** @import { Found } from "../drop.js" */
/** @typedef {{rows: {what: string, classes: Record<string, number>}[], remark?: string | null}} Answer */

/** The likeliest classes first. @param {Record<string, number>} classes @param {number} most @returns {[string, number][]} */
export function likeliest(classes, most) {
  return Object.entries(classes).sort((a, b) => b[1] - a[1]).slice(0, most);
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
            ${answer?.rows.map((row) => html`<h3>${row.what || picture.name}</h3><div class="bars">
              ${likeliest(row.classes, 10).map(([name, share]) => html`<span class="name">${name}</span><${Bar} value=${share} /><span>${(share * 100).toFixed(1)} %</span>`)}</div>`)}
            ${answer?.remark && html`<p class="warn-text">${answer.remark}</p>`}</div></div>`}
      </div>
    </div><//>`;
}
