import { html } from "../lib.js";
export function NewJob() { return html`<p>soon</p>`; }
