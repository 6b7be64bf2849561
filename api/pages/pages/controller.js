/** Choosing a controller and its options, by what the service says of each. */
import { html } from "../lib.js";

/** @typedef {{name: string, options: Record<string, any>}} Controller */

/** The value that a field's text stands for; text that is no number is sent as it is, and refused with the reason. @param {any} schema @param {string} text */
export function valueOf(schema, text) {
  if (schema.enum) return text;
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? text : value;
}

/** The range of an option in words. @param {any} schema */
export function range(schema) {
  const low = schema.minimum ?? schema.exclusiveMinimum;
  if (low === undefined && schema.maximum === undefined) return "";
  return `${schema.exclusiveMinimum === undefined ? "" : "above "}${low ?? ""} to ${schema.maximum ?? ""}`;
}

/** @param {{controllers: Controller[], name: string, options: Record<string, unknown>, onChange: (name: string, options: Record<string, unknown>) => void}} props */
export function ControllerChoice({ controllers, name, options, onChange }) {
  const chosen = controllers.find((one) => one.name === name);
  const set = (/** @type {string} */ option, /** @type {any} */ schema, /** @type {string} */ text) => {
    const next = { ...options };
    const value = valueOf(schema, text);
    if (text === "" || value === schema.default) delete next[option];
    else next[option] = value;
    onChange(name, next);
  };
  return html`<div class="fields">
    <label>Controller <select value=${name} onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value, {})}>
      ${controllers.map((one) => html`<option value=${one.name} selected=${one.name === name}>${one.name}${one.name === "auto" ? " (the default)" : ""}</option>`)}</select></label>
    ${Object.entries(chosen?.options ?? {}).map(([option, schema]) => html`<label>${option.replaceAll("_", " ")} <span class="quiet small-text">${range(schema)}</span>
      ${schema.enum
        ? html`<select value=${String(options[option] ?? schema.default)} onChange=${(/** @type {any} */ event) => set(option, schema, event.currentTarget.value)}>
            ${schema.enum.map((/** @type {string} */ value) => html`<option value=${value} selected=${value === (options[option] ?? schema.default)}>${value}</option>`)}</select>`
        : html`<input type="number" step="any" min=${schema.minimum} max=${schema.maximum} value=${String(options[option] ?? schema.default)}
            onInput=${(/** @type {any} */ event) => set(option, schema, event.currentTarget.value)} />`}</label>`)}
  </div>`;
}
