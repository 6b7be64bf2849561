/** The event stream of a job, and events gathered into one paint. */
import { ApiError, events as openStream } from "./api.js";

/** @import { JobEvent } from "./types.js" */

/**
 * Reads server-sent events from text that comes in pieces.
 *
 * @param {(name: string, data: string) => void} onEvent
 * @returns {(text: string) => void}
 */
export function parser(onEvent) {
  let rest = "";
  return (text) => {
    rest += text;
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      let name = "message";
      const data = [];
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("data: ")) data.push(line.slice(6));
      }
      if (data.length > 0) onEvent(name, data.join("\n"));
    }
  };
}

/**
 * Calls `done` once with all that was added before the next paint; a hidden page paints nothing, so there by a timer.
 *
 * @template T @param {(items: T[]) => void} done
 * @param {() => number} cost  milliseconds that the last paint took: a page that is slow to paint waits three times that
 */
export function batched(done, cost) {
  /** @type {T[]} */
  let items = [];
  let planned = false;
  const flush = () => {
    planned = false;
    const batch = items;
    items = [];
    done(batch);
  };
  return (/** @type {T} */ item) => {
    items.push(item);
    if (planned) return;
    planned = true;
    if (document.hidden) setTimeout(flush, 500);
    else if (cost() > 60) setTimeout(flush, Math.min(5000, 3 * cost()));
    else requestAnimationFrame(flush);
  };
}

/**
 * Follows a job from an event on until it has ended or `signal` says stop. A stream that breaks is opened again with the
 * last id; `onLink` tells whether there is one.
 *
 * @param {string} id @param {number} after @param {AbortSignal} signal
 * @param {(event: JobEvent) => void} onEvent @param {(open: boolean) => void} onLink
 */
export async function follow(id, after, signal, onEvent, onLink) {
  let last = after;
  let wait = 1000;
  let ended = false;
  while (!signal.aborted && !ended) {
    try {
      const answer = await openStream(id, last, signal);
      onLink(true);
      wait = 1000;
      const read = parser((name, data) => {
        if (name === "end") ended = true;
        else {
          const event = /** @type {JobEvent} */ (JSON.parse(data));
          last = event.id;
          onEvent(event);
        }
      });
      await drain(answer, read);
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && error.status === 404)) return;
      onLink(false);
    }
    if (ended) return;
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, 10_000);
  }
}

/** @param {Response} answer @param {(text: string) => void} read */
async function drain(answer, read) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    read(decoder.decode(value, { stream: true }));
  }
}
