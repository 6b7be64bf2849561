/** Addresses of the pages, as the part after the #. */

/**
 * @typedef {{page: "jobs"} | {page: "new", name: string | null} | {page: "none"} | {page: "compare", ids: string[]} | {page: "datasets", name: string | null} | {page: "job", id: string}
 *   | {page: "trial", id: string, number: number} | {page: "result", id: string}} Route
 */

const ID = "([0-9a-f-]{36})";
/** @type {[RegExp, (found: RegExpMatchArray) => Route][]} */
const ROUTES = [
  [/^\/?$|^\/jobs$/, () => ({ page: "jobs" })],
  [/^\/compare\?jobs=([0-9a-f,-]+)$/, (found) => ({ page: "compare", ids: found[1].split(",").filter(Boolean) })],
  [/^\/new(?:\?(.+))?$/, (found) => ({ page: "new", name: found[1] ? decoded(found[1]) : null })],
  [/^\/datasets$/, () => ({ page: "datasets", name: null })],
  [/^\/datasets\/([^/]+)$/, (found) => ({ page: "datasets", name: decoded(found[1]) })],
  [new RegExp(`^/jobs/${ID}$`), (found) => ({ page: "job", id: found[1] })],
  [new RegExp(`^/jobs/${ID}/trials/([0-9]{1,9})$`), (found) => ({ page: "trial", id: found[1], number: Number(found[2]) })],
  [new RegExp(`^/jobs/${ID}/result$`), (found) => ({ page: "result", id: found[1] })],
];

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string} hash such as "#/jobs" @returns {Route} */
export function route(hash) {
  const path = hash.replace(/^#/, "");
  for (const [pattern, make] of ROUTES) {
    const found = path.match(pattern);
    if (found) return make(found);
  }
  return { page: "none" };
}

/** Addresses of pages. */
export const to = {
  /** @param {string} id */
  job: (id) => `#/jobs/${id}`,
  /** @param {string} id @param {number} number */
  trial: (id, number) => `#/jobs/${id}/trials/${number}`,
  /** @param {string} id */
  result: (id) => `#/jobs/${id}/result`,
  /** @param {string[]} ids */
  compare: (ids) => `#/compare?jobs=${ids.join(",")}`,
  /** @param {string} name */
  dataset: (name) => `#/datasets/${encodeURIComponent(name)}`,
};
