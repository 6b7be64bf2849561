/** What the check of a data set found: sizes, classes, warnings. */
import { html } from "../lib.js";
import { moment, plural, shape, size, whole } from "../format.js";
import { Figure } from "../parts.js";

/** @import { Dataset } from "../types.js" */

/** Most classes that are listed one by one. */
const MOST = 100;

/** @param {{data: Dataset}} props */
export function DatasetReport({ data }) {
  const findings = data.check?.findings ?? [];
  const told = new Set(findings.map((finding) => finding.detail));
  const others = data.warnings.filter((text) => !told.has(text));
  return html`
    <dl class="figures">
      <${Figure} name="kind">${data.kind}<//>
      <${Figure} name="shape of a sample">${shape(data.input_shape)}<//>
      <${Figure} name="classes">${data.classes}<//>
      <${Figure} name="train / val / test">${[data.train, data.val, data.test].map(whole).join(" / ")}<//>
      <${Figure} name="size">${size(data.bytes)}<//>
      <${Figure} name="format">${data.format}<//>
      ${data.created_at && html`<${Figure} name="added">${moment(data.created_at)}<//>`}
    </dl>
    ${findings.length + others.length > 0
      ? html`<section class="note" aria-label="What the check found"><h2>What the check found</h2><ul>
          ${findings.map((finding) => html`<li>${finding.detail}${finding.examples.length > 0 && html`<br /><span class="quiet mono wrap">${finding.examples.join(", ")}</span>`}</li>`)}
          ${others.map((text) => html`<li>${text}</li>`)}</ul></section>`
      : html`<p class="quiet">${data.check === null ? "This data set was added without a check." : "The check of samples, classes and splits found nothing to tell."}</p>`}
    <${Classes} data=${data} />`;
}

/** Samples of each class, as bars. @param {{data: Dataset}} props */
function Classes({ data }) {
  if (data.counts.length === 0) return null;
  const most = Math.max(...data.counts, 1);
  const shown = data.counts.slice(0, MOST);
  return html`<h2 class="sub">Samples per class</h2><div class="bars classes">
    ${shown.map((count, at) => html`<span class="name" title=${data.class_names[at]}>${data.class_names[at] ?? at}</span>
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect width=${(count / most) * 100} height="10" /></svg>
      <span class="num">${whole(count)}</span>`)}</div>
    ${data.counts.length > MOST && html`<p class="quiet">and ${plural(data.counts.length - MOST, "more class", "more classes")}</p>`}`;
}
