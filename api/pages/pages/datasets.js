import { html } from "../lib.js";
export function Datasets() { return html`<p>soon</p>`; }
