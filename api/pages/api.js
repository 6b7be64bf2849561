/** All requests to the service. */

/** @import { Dataset, Fault, Job, JobDetail, TableAnswer, Trial } from "./types.js" */

/** What the service refused, with its words. status 0: the service did not answer. */
export class ApiError extends Error {
  /** @param {number} status @param {string} detail @param {string} code @param {Fault[]} faults */
  constructor(status, detail, code = "", faults = []) {
    super(detail);
    this.status = status;
    this.code = code;
    this.faults = faults;
  }
}

/**
 * @param {string} method @param {string} path
 * @param {{body?: unknown, accept?: string, headers?: Record<string, string>, signal?: AbortSignal}} [options]
 */
async function request(method, path, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: options.accept ?? "application/json", ...options.headers };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  let answer;
  try {
    answer = await fetch(path, { method, headers, body, signal: options.signal, cache: "no-store" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "The service does not answer. Is `archsmith serve` still running?");
  }
  if (!answer.ok) throw problem(answer.status, await answer.text());
  return answer;
}

/** The error of a body that is problem+json, or of any other. @param {number} status @param {string} text */
export function problem(status, text) {
  try {
    const body = JSON.parse(text);
    return new ApiError(status, String(body.detail ?? body.title), String(body.code ?? ""), body.errors ?? []);
  } catch {
    return new ApiError(status, `The service answered with status ${status}.`);
  }
}

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
const get = async (path, signal) => (await request("GET", path, { signal })).json();
/** @param {string} path @param {unknown} [body] @returns {Promise<any>} */
const post = async (path, body) => (await request("POST", path, { body })).json();
/** @param {string} id */
const at = (id) => `/v1/jobs/${encodeURIComponent(id)}`;

/** @returns {Promise<Job[]>} the newest jobs, at most `most` @param {number} most @param {AbortSignal} [signal] */
export async function jobs(most = 500, signal) {
  /** @type {Job[]} */
  const items = [];
  let after = "";
  while (items.length < most) {
    const page = await get(`/v1/jobs?limit=${Math.min(200, most - items.length)}${after}`, signal);
    items.push(...page.items);
    if (page.next === null) break;
    after = `&after=${encodeURIComponent(page.next)}`;
  }
  return items;
}

/** @param {string} id @param {AbortSignal} [signal] @returns {Promise<JobDetail>} */
export const job = (id, signal) => get(at(id), signal);
/** @param {string} id @param {AbortSignal} [signal] @returns {Promise<TableAnswer>} */
export const table = (id, signal) => get(`${at(id)}/table`, signal);
/** @param {string} id @param {number} number @param {AbortSignal} [signal] @returns {Promise<Trial>} */
export const trial = (id, number, signal) => get(`${at(id)}/trials/${number}`, signal);
/** @param {string} id @returns {Promise<any>} */
export const report = (id) => get(`${at(id)}/report`);
/** @param {string} id @param {number} lines */
export const log = async (id, lines) =>
  (await request("GET", `${at(id)}/log?lines=${lines}`, { accept: "text/plain" })).text();
/** @param {string} id @param {"pause" | "resume" | "cancel"} verb @returns {Promise<JobDetail>} */
export const steer = (id, verb) => post(`${at(id)}/${verb}`);
/** @param {string} id @param {number | null} within @returns {Promise<JobDetail>} */
export const finish = (id, within) => post(`${at(id)}/finish${within === null ? "" : `?within_seconds=${within}`}`);
/** @param {string} id @param {Record<string, number>} budget @returns {Promise<JobDetail>} */
export const extend = async (id, budget) => (await request("PATCH", at(id), { body: { budget } })).json();
/** @param {string} id */
export const removeJob = (id) => request("DELETE", at(id));

/** A page of the measurements of all trials. @param {string} id @param {string | null} after @param {AbortSignal} [signal] */
export const measurements = (id, after, signal) =>
  get(`${at(id)}/measurements${after === null ? "" : `?after=${encodeURIComponent(after)}`}`, signal);

/** The open event stream after an event. @param {string} id @param {number} after @param {AbortSignal} signal */
export const events = (id, after, signal) =>
  request("GET", `${at(id)}/events`, { accept: "text/event-stream", headers: { "Last-Event-ID": String(after) }, signal });

/** @returns {Promise<Dataset[]>} */
export const datasets = async () => (await get("/v1/datasets")).items;
/** @param {string} name @param {boolean} force */
export const removeDataset = (name, force) =>
  request("DELETE", `/v1/datasets/${encodeURIComponent(name)}${force ? "?force=true" : ""}`);

/** @returns {Promise<{name: string, document: any}[]>} */
export const presets = async () => (await get("/v1/spaces")).items;
/** @returns {Promise<{name: string, options: Record<string, any>}[]>} */
export const controllers = async () => (await get("/v1/controllers")).items;
/** @param {unknown} space @param {string} dataset @param {AbortSignal} [signal] @returns {Promise<any>} */
export const validate = async (space, dataset, signal) =>
  (await request("POST", "/v1/spaces/validate", { body: { space, dataset }, signal })).json();
/** @param {unknown} document @returns {Promise<any>} */
export const price = (document) => post("/v1/jobs?dry_run=true", document);
/** @param {unknown} document @returns {Promise<JobDetail>} */
export const submit = (document) => post("/v1/jobs", document);

/** @type {Promise<Set<string>> | null} */
let known = null;

/** Whether this service has a route, such as "/v1/jobs/{job_id}/predict". A request that fails would stand in the console. @param {string} path */
export async function offers(path) {
  known ??= get("/openapi.json").then(
    (document) => new Set(Object.keys(document.paths)),
    () => new Set(),
  );
  return (await known).has(path);
}

/**
 * Sends files with progress, which fetch cannot tell.
 *
 * @param {string} path @param {Record<string, string>} fields @param {File[]} files
 * @param {(share: number) => void} onProgress  0 to 1
 * @returns {{done: Promise<any>, stop: () => void}}
 */
export function upload(path, fields, files, onProgress) {
  const sender = new XMLHttpRequest();
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const file of files) form.append("file", file, file.name);
  const done = new Promise((resolve, reject) => {
    sender.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    sender.addEventListener("load", () => {
      if (sender.status >= 200 && sender.status < 300) resolve(JSON.parse(sender.responseText));
      else reject(problem(sender.status, sender.responseText));
    });
    sender.addEventListener("error", () => reject(new ApiError(0, "The upload broke off: the service closed the connection.")));
    sender.addEventListener("abort", () => reject(new ApiError(0, "The upload was stopped.")));
  });
  sender.open("POST", path);
  sender.setRequestHeader("Accept", "application/json");
  sender.send(form);
  return { done, stop: () => sender.abort() };
}

/** The classes that the winner sees in a picture. @param {string} id @param {File} file @returns {Promise<any>} */
export const predict = (id, file) => upload(`${at(id)}/predict`, {}, [file], () => {}).done;

/** Links that a browser follows by itself. */
export const urls = {
  /** @param {string} id */
  bundle: (id) => `${at(id)}/bundle`,
  /** @param {string} id */
  report: (id) => `${at(id)}/report.html`,
  /** @param {string} id @param {number} number */
  picture: (id, number) => `${at(id)}/trials/${number}/picture.svg`,
};
