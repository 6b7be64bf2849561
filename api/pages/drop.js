/** A place to drop files on, or to choose them by a button. */
import { html, useRef, useState } from "./lib.js";

/** @typedef {{file: File, path: string}} Found  path: below what was dropped, the file's name included */

/** All files of what was dropped, folders opened. @param {DataTransfer} dropped @returns {Promise<Found[]>} */
async function opened(dropped) {
  const entries = [...dropped.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined);
  if (entries.length === 0) return [...dropped.files].map((file) => ({ file, path: file.name }));
  /** @type {Found[]} */
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

/** @param {any} entry  FileSystemEntry @param {Found[]} found */
async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // It gives 100 entries at a time, and none at the end.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const child of some) await walk(child, found);
  }
}

/** @param {{label: string, accept?: string, folders?: boolean, many?: boolean, take: (files: Found[]) => void, children?: any}} props */
export function Drop({ label, accept, folders, many, take, children }) {
  const [over, setOver] = useState(false);
  const files = useRef(/** @type {HTMLInputElement | null} */ (null));
  const folder = useRef(/** @type {HTMLInputElement | null} */ (null));
  const drop = async (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(false);
    const found = event.dataTransfer ? await opened(event.dataTransfer) : [];
    if (found.length > 0) take(many ? found : found.slice(0, 1));
  };
  const chosen = (/** @type {any} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.currentTarget);
    const found = [...(input.files ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
    input.value = "";
    if (found.length > 0) take(found);
  };
  return html`<div class=${`drop ${over ? "over" : ""}`} role="group" aria-label=${label}
    onDragOver=${(/** @type {DragEvent} */ event) => (event.preventDefault(), setOver(true))} onDragLeave=${() => setOver(false)} onDrop=${drop}>
    ${children}
    <p class="row middle">
      <button type="button" onClick=${() => files.current?.click()}>Choose ${many ? "files" : "a file"}</button>
      ${folders && html`<button type="button" onClick=${() => folder.current?.click()}>Choose a folder</button>`}
    </p>
    <input ref=${files} type="file" hidden accept=${accept} multiple=${many} onChange=${chosen} aria-label=${label} />
    ${folders && html`<input ref=${folder} type="file" hidden webkitdirectory onChange=${chosen} aria-label=${`${label}: a folder`} />`}
  </div>`;
}
