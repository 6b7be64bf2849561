/** Small parts that all pages use. */
import { html, useCallback, useEffect, useRef, useState } from "./lib.js";
import { ApiError } from "./api.js";

/** @param {{state: string, wanted?: string}} props */
export function State({ state }) {
  return html`<span class=${`state state-${state}`}>${state}</span>`;
}

/** What the service refused, in its words; with a place in the document where it tells one. @param {{error: unknown}} props */
export function Problem({ error }) {
  if (!error) return null;
  const faults = error instanceof ApiError ? error.faults : [];
  return html`<div class="problem" role="alert">
    ${faults.length > 0
      ? html`<ul>${faults.map((fault) => html`<li>${fault.pointer && html`<code>${fault.pointer}</code>: `}${fault.detail}</li>`)}</ul>`
      : html`<p>${error instanceof Error ? error.message : String(error)}</p>`}
  </div>`;
}

/**
 * What a promise gives: {value, error, again}. `make` is called again when `inputs` change.
 *
 * @template T @param {(signal: AbortSignal) => Promise<T>} make @param {unknown[]} inputs
 * @returns {{value: T | undefined, error: unknown, again: () => void}}
 */
export function useLoaded(make, inputs) {
  const [found, setFound] = useState(/** @type {{value: T | undefined, error: unknown}} */ ({ value: undefined, error: null }));
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    make(stop.signal).then(
      (value) => !stop.signal.aborted && setFound({ value, error: null }),
      (error) => !stop.signal.aborted && setFound((old) => ({ value: old.value, error })),
    );
    return () => stop.abort();
  }, [...inputs, turn]);
  return { ...found, again: useCallback(() => setTurn((old) => old + 1), []) };
}

/** Calls `action` every so often while the page can be seen, and when it comes back into sight. @param {() => void} action @param {number} every milliseconds @param {boolean} [on] */
export function usePoll(action, every, on = true) {
  const latest = useRef(action);
  latest.current = action;
  useEffect(() => {
    if (!on) return undefined;
    const turn = () => !document.hidden && latest.current();
    const timer = setInterval(turn, every);
    document.addEventListener("visibilitychange", turn);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", turn);
    };
  }, [every, on]);
}

/** The time, told anew every second. @param {boolean} on */
export function useNow(on) {
  const [now, setNow] = useState(Date.now());
  usePoll(() => setNow(Date.now()), 1000, on);
  return now;
}

/**
 * A question before something is done. `run` is called by the button and may fail: the error is shown, the dialog stays.
 *
 * @param {{title: string, verb: string, danger?: boolean, children?: any, run: () => Promise<unknown>, close: () => void}} props
 */
export function Ask({ title, verb, danger, children, run, close }) {
  const place = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [busy, setBusy] = useState(false);
  useEffect(() => place.current?.showModal(), []);
  const go = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await run();
      close();
    } catch (failed) {
      setError(failed);
      setBusy(false);
    }
  };
  return html`<dialog ref=${place} aria-label=${title} onClose=${close}>
    <form onSubmit=${go}>
      <h2>${title}</h2>
      ${children}
      <${Problem} error=${error} />
      <p class="row end">
        <button type="button" onClick=${close}>Back</button>
        <button type="submit" class=${danger ? "danger" : "main"} disabled=${busy}>${busy ? "…" : verb}</button>
      </p>
    </form>
  </dialog>`;
}

/** One figure with its name. @param {{name: string, title?: string, children?: any}} props */
export function Figure({ name, title, children }) {
  return html`<div class="figure" title=${title}><dt>${name}</dt><dd>${children}</dd></div>`;
}

/** A part of a page under its own heading. @param {{title: string, side?: any, children?: any, wide?: boolean}} props */
export function Panel({ title, side, children, wide }) {
  return html`<section class=${`panel ${wide ? "wide" : ""}`} aria-label=${title}>
    <header><h2>${title}</h2>${side && html`<div class="side">${side}</div>`}</header>
    ${children}
  </section>`;
}

/** A choice between few things. @param {{label: string, options: [string, string][], value: string, onChange: (value: string) => void}} props */
export function Choice({ label, options, value, onChange }) {
  return html`<span class="choice" role="group" aria-label=${label}>
    ${options.map(([name, text]) => html`<button type="button" aria-pressed=${name === value ? "true" : "false"} onClick=${() => onChange(name)}>${text}</button>`)}
  </span>`;
}

/** Text with a button that copies it. @param {{text: string, label: string}} props */
export function Code({ text, label }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 2000);
    } catch {
      setCopied(false); // not allowed by the browser: the text can be selected
    }
  };
  return html`<div class="code">
    <pre tabindex="0" aria-label=${label}>${text}</pre>
    <button type="button" class="small" onClick=${copy}>${copied ? "copied" : "copy"}</button>
  </div>`;
}
