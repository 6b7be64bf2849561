/** A job that is followed live: its table of trials, its curves, its newest state. One place for all of its requests. */
import { useEffect, useRef, useState } from "./lib.js";
import * as api from "./api.js";
import { batched, follow } from "./events.js";
import { loadCurves } from "./measurements.js";
import { OVER } from "./states.js";
import { TrialTable } from "./trials.js";

/** @import { JobDetail, JobEvent } from "./types.js" */

const OF_TRIALS = new Set(["trial_added", "trial_state", "measurement"]);
/** Milliseconds between two requests for what events do not tell. */
const JOB_EVERY = 1000;
const TABLE_EVERY = 4000;

/**
 * Calls `run` at most once in so many milliseconds, and once more where it was asked for meanwhile. A call that takes long
 * is followed by a pause of `rest` times as long.
 *
 * @param {() => Promise<void>} run @param {number} every @param {number} rest
 */
export function throttled(run, every, rest) {
  let [busy, again] = [false, false];
  const turn = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    const begun = Date.now();
    await run();
    const took = Date.now() - begun;
    setTimeout(() => {
      busy = false;
      if (again) {
        again = false;
        turn();
      }
    }, Math.max(every, Math.min(took * rest, 30_000)));
  };
  return turn;
}

/**
 * @param {string} id
 * @returns {{job: JobDetail | undefined, table: TrialTable, ready: boolean, live: boolean, error: unknown, notes: JobEvent[], setJob: (job: JobDetail) => void}}
 */
export function useFeed(id) {
  const table = useRef(/** @type {TrialTable | null} */ (null));
  table.current ??= new TrialTable();
  const [job, setJob] = useState(/** @type {JobDetail | undefined} */ (undefined));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [live, setLive] = useState(true);
  const [ready, setReady] = useState(false);
  const [notes, setNotes] = useState(/** @type {JobEvent[]} */ ([]));
  const [, paint] = useState(0);
  const [turn, setTurn] = useState(0);
  const over = job !== undefined && OVER.has(job.state);
  const wasOver = useRef(false);
  useEffect(() => {
    if (wasOver.current && !over) setTurn((old) => old + 1); // its budget was extended: its stream goes on
    wasOver.current = over;
  }, [over]);
  useEffect(() => {
    const stop = new AbortController();
    const own = /** @type {TrialTable} */ (table.current);
    let cost = 0;
    const repaint = () => {
      const begun = performance.now();
      paint((old) => old + 1);
      requestAnimationFrame(() => setTimeout(() => (cost = performance.now() - begun)));
    };
    const fetchJob = throttled(async () => {
      await api.job(id, stop.signal).then((found) => (setJob(found), setError(null)), (failed) => stop.signal.aborted || setError(failed));
    }, JOB_EVERY, 1);
    const fetchTable = throttled(async () => {
      await api.table(id, stop.signal).then((answer) => (own.load(answer), repaint()), () => {});
    }, TABLE_EVERY, 10);
    const onEvents = batched((/** @type {JobEvent[]} */ batch) => {
      if (stop.signal.aborted) return;
      let trials = false;
      for (const event of batch) {
        own.apply(event);
        if (OF_TRIALS.has(event.kind)) trials = true;
      }
      const best = batch.findLast((event) => event.kind === "incumbent")?.data;
      if (best) setJob((old) => old && { ...old, best: { trial: best.number, search_score: best.search_score } });
      const told = batch.filter((event) => event.kind === "warning");
      if (told.length > 0) setNotes((old) => [...old, ...told].slice(-20));
      if (trials) repaint();
      if (own.incomplete) fetchTable();
      fetchJob();
    }, () => cost);
    const begin = async () => {
      fetchJob();
      try {
        own.load(await api.table(id, stop.signal));
      } catch (failed) {
        if (!stop.signal.aborted) setError(failed);
        return;
      }
      setReady(true);
      follow(id, own.event, stop.signal, onEvents, setLive).then(fetchJob);
      await loadCurves(id, own, stop.signal, repaint);
    };
    begin();
    const timer = setInterval(() => !document.hidden && fetchJob(), 5000);
    return () => {
      clearInterval(timer);
      stop.abort();
    };
  }, [id, turn]);
  return { job, table: table.current, ready, live, error, notes, setJob };
}
