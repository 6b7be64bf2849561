/** The document of a job, and the same as a command, as Python and as YAML. Pure functions. */

/**
 * What the form holds. Times in minutes. space: a preset's name or a document.
 *
 * @typedef {object} Form
 * @property {string} dataset
 * @property {string} name
 * @property {string | Record<string, unknown>} space
 * @property {string} controller
 * @property {Record<string, unknown>} options  those that differ from their defaults
 * @property {"time" | "trials"} by
 * @property {string} minutes
 * @property {string} trials
 * @property {string} epochs
 * @property {string} minimize  "" for none
 * @property {string} constraints  one a line
 * @property {string} seed
 * @property {boolean} reproducible
 * @property {boolean} compress
 */

/** @type {Form} */
export const BLANK = {
  dataset: "", name: "", space: "chain", controller: "auto", options: {}, by: "time", minutes: "10", trials: "30", epochs: "5",
  minimize: "", constraints: "", seed: "0", reproducible: false, compress: false,
};

/** The job document, without what is at its default. @param {Form} form @returns {Record<string, unknown>} */
export function jobDocument(form) {
  /** @type {Record<string, unknown>} */
  const document = { dataset: form.dataset };
  if (form.name.trim() !== "") document.name = form.name.trim();
  if (form.space !== "chain") document.space = form.space;
  const options = Object.keys(form.options).length > 0;
  if (options) document.controller = { name: form.controller, ...form.options };
  else if (form.controller !== "auto") document.controller = form.controller;
  const objective = objectiveOf(form);
  if (objective !== null) document.objective = objective;
  document.budget = form.by === "time" ? { seconds: Math.round(number(form.minutes) * 60) } : { trials: number(form.trials), epochs: number(form.epochs) };
  if (number(form.seed) !== 0) document.seed = number(form.seed);
  if (form.reproducible) document.reproducible = true;
  if (form.compress) document.compress = {};
  return document;
}

/** @param {Form} form */
function objectiveOf(form) {
  const constraints = form.constraints.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  /** @type {Record<string, unknown>} */
  const objective = {};
  if (form.minimize !== "") Object.assign(objective, { maximize: "score", minimize: form.minimize });
  if (constraints.length > 0) objective.constraints = constraints;
  return Object.keys(objective).length > 0 ? objective : null;
}

/** Text that is no number stays as it is: the service says what is wrong with it. @param {string} text @returns {any} */
function number(text) {
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? text : value;
}

/** @param {unknown} document @param {string} origin such as http://127.0.0.1:8080 */
export function asCurl(document, origin) {
  const body = JSON.stringify(document, null, 2).replaceAll("'", "'\\''");
  return `curl -sS ${origin}/v1/jobs -H 'Content-Type: application/json' -d '${body}'`;
}

/** @param {Record<string, unknown>} document @param {string} origin */
export function asPython(document, origin) {
  const fields = Object.entries(document).map(([name, value]) => `        ${name}=${python(value, 8)},\n`);
  const client = origin === "http://127.0.0.1:8080" ? "Client()" : `Client(${JSON.stringify(origin)})`;
  return `from archsmith import Client\n\nwith ${client} as client:\n    job = client.submit(\n${fields.join("")}    )\n    job = client.wait(job.id)\n    print(job.final_score, client.download_bundle(job.id))\n`;
}

/** A value as Python writes it, over several lines where it is long. @param {unknown} value @param {number} indent @returns {string} */
export function python(value, indent = 0) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const list = Array.isArray(value);
  const items = list ? value.map((item) => python(item, indent + 4)) : Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${python(item, indent + 4)}`);
  const [open, close] = list ? ["[", "]"] : ["{", "}"];
  const short = `${open}${items.join(", ")}${close}`;
  if (short.length + indent <= 100 && !short.includes("\n")) return short;
  const space = " ".repeat(indent + 4);
  return `${open}\n${items.map((item) => `${space}${item},\n`).join("")}${" ".repeat(indent)}${close}`;
}

/** Plain words need no quotes in YAML, unless they read as something else. @param {string} text */
function word(text) {
  const plain = /^[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_./<>=*+-]+)*$/.test(text);
  return plain && !/^(true|false|yes|no|on|off|y|n|null|nan|inf)$/i.test(text) ? text : JSON.stringify(text);
}

/** Block YAML; lists of plain values stay on one line. @param {unknown} value @param {number} indent @returns {string} */
export function asYaml(value, indent = 0) {
  if (typeof value === "string") return `${word(value)}\n`;
  if (typeof value !== "object" || value === null) return `${JSON.stringify(value)}\n`;
  const entries = Array.isArray(value) ? value.map((item) => /** @type {[null, unknown]} */ ([null, item])) : Object.entries(value);
  if (entries.length === 0) return Array.isArray(value) ? "[]\n" : "{}\n";
  if (Array.isArray(value) && value.every((item) => typeof item !== "object" || item === null)) {
    return `[${value.map((item) => asYaml(item).trim()).join(", ")}]\n`;
  }
  const lines = entries.map(([key, item]) => {
    const head = key === null ? "-" : `${word(key)}:`;
    const flow = asYaml(item, indent + 2);
    const block = typeof item === "object" && item !== null && !/^[[{]/.test(flow);
    if (!block) return `${" ".repeat(indent)}${head} ${flow}`;
    return key === null ? `${" ".repeat(indent)}- ${flow.trimStart()}` : `${" ".repeat(indent)}${head}\n${flow}`;
  });
  return lines.join("");
}
