/** The learning curves of all trials of a job. */
import { measurements, offers } from "./api.js";
import { follow } from "./events.js";

/** @import { TrialTable } from "./trials.js" */

const ROUTE = "/v1/jobs/{job_id}/measurements";
/** Milliseconds between two paints while curves are loaded. */
const EVERY = 1500;

/**
 * Fills in the curves of all trials. A service without the route tells them by its events, from the first on.
 *
 * @param {string} id @param {TrialTable} table @param {AbortSignal} signal @param {() => void} onPage
 */
export async function loadCurves(id, table, signal, onPage) {
  if (await offers(ROUTE)) await byPages(id, table, signal, onPage);
  else await byEvents(id, table, signal, onPage);
}

/** @param {string} id @param {TrialTable} table @param {AbortSignal} signal @param {() => void} onPage */
async function byPages(id, table, signal, onPage) {
  /** @type {string | null} */
  let after = null;
  let told = performance.now();
  do {
    /** @type {{items: {trial: number, points: [number, number][]}[], next: string | null}} */
    const page = await measurements(id, after, signal).catch(() => ({ items: [], next: null }));
    for (const { trial, points } of page.items) for (const [epoch, value] of points) table.measured(trial, epoch, value);
    after = page.next;
    if (after === null || performance.now() - told > EVERY) {
      onPage(); // not each page: 50,000 trials have a hundred of them
      told = performance.now();
    }
  } while (after !== null && !signal.aborted);
}

/** @param {string} id @param {TrialTable} table @param {AbortSignal} signal @param {() => void} onPage */
async function byEvents(id, table, signal, onPage) {
  const until = table.event;
  if (until === 0) return;
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort());
  const onEvent = (/** @type {import("./types.js").JobEvent} */ event) => {
    if (event.kind === "measurement") table.measured(event.data.number, event.data.epoch, event.data.score);
    if (event.id >= until) stop.abort();
  };
  await follow(id, 0, stop.signal, onEvent, () => {});
  onPage();
}
