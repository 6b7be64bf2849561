/** Adding a data set: dropped files, upload with progress, the report of the check. */
import { html, useState } from "../lib.js";
import * as api from "../api.js";
import { Drop } from "../drop.js";
import { plural, size } from "../format.js";
import { FORMATS, guess, nameOf } from "../formats.js";
import { Problem } from "../parts.js";
import { zipped } from "../zip.js";

/** @import { Dataset } from "../types.js" */
/** @import { Found } from "../drop.js" */

/** Files as they are sent: what was dropped as folders becomes one archive. @param {Found[]} found @param {string} name @param {(share: number) => void} onProgress @returns {Promise<File[]>} */
async function sendable(found, name, onProgress) {
  if (!found.some(({ path }) => path.includes("/")) && found.length <= 12) return found.map(({ file }) => file);
  return [new File([await zipped(found, onProgress)], `${name}.zip`)];
}

/** @param {{added: (data: Dataset) => void}} props */
export function Upload({ added }) {
  const [found, setFound] = useState(/** @type {Found[]} */ ([]));
  const [name, setName] = useState("");
  const [format, setFormat] = useState("");
  const [imageSize, setImageSize] = useState("");
  const [progress, setProgress] = useState(/** @type {{text: string, share: number | null} | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [stop, setStop] = useState(/** @type {{run: () => void} | null} */ (null));
  const take = (/** @type {Found[]} */ files) => {
    const kept = files.filter(({ path }) => !path.split("/").some((part) => part.startsWith(".")));
    const roots = new Set(kept.map(({ path }) => path.split("/")[0]));
    setFound(kept);
    setError(null);
    setName(kept.length > 0 ? (roots.size > 1 && kept.some(({ path }) => path.includes("/")) ? "pictures" : nameOf(kept[0].path)) : "");
    setFormat(guess(kept.map(({ path }) => path)) ?? "");
  };
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setError(null);
    try {
      setProgress({ text: "Packs the folder", share: 0 });
      const files = await sendable(found, name, (share) => setProgress({ text: "Packs the folder", share }));
      setProgress({ text: "Sends", share: 0 });
      const fields = { name, format, ...(imageSize === "" ? {} : { image_size: imageSize }) };
      const { done, stop: abort } = api.upload("/v1/datasets", fields, files, (share) =>
        setProgress(share < 1 ? { text: "Sends", share } : { text: "The service reads and checks the data", share: null }));
      setStop({ run: abort });
      const data = await done;
      setFound([]);
      added(data);
    } catch (failed) {
      setError(failed);
    } finally {
      setProgress(null);
      setStop(null);
    }
  };
  const bytes = found.reduce((sum, { file }) => sum + file.size, 0);
  return html`<${Drop} label="Files of a data set" folders=${true} many=${true} take=${take}>
      <p>Drop a folder with one folder of pictures per class, or an archive, or files with arrays or tables.</p>
      <p class="quiet">PNG, JPEG, WebP and others; zip, tar; npz, npy, HDF5, MATLAB; IDX, CIFAR, STL-10; CSV, Parquet; NIfTI; graphs</p><//>
    ${found.length > 0 && html`<form class="upload" onSubmit=${send}>
      <p>${plural(found.length, "file")}, ${size(bytes)}: <span class="quiet mono wrap">${found.slice(0, 4).map(({ path }) => path).join(", ")}${found.length > 4 ? ", …" : ""}</span></p>
      <div class="fields">
        <label>Name <input required value=${name} onInput=${(/** @type {any} */ event) => setName(event.currentTarget.value)} /></label>
        <label>Format <select required value=${format} onChange=${(/** @type {any} */ event) => setFormat(event.currentTarget.value)}>
          <option value="" selected=${format === ""}>choose</option>${FORMATS.map((kind) => html`<option value=${kind} selected=${kind === format}>${kind}</option>`)}</select></label>
        ${["images", "parquet"].includes(format) && html`<label>Side of the pictures in pixels <input type="number" min="1" max="4096" placeholder="median, at most 64" value=${imageSize}
          onInput=${(/** @type {any} */ event) => setImageSize(event.currentTarget.value)} /></label>`}
        <button type="submit" class="main" disabled=${progress !== null}>Add the data set</button>
      </div>
    </form>`}
    ${progress && html`<div role="status"><p>${progress.text}${progress.share === null ? "…" : ` ${Math.round(progress.share * 100)} %`}
      ${stop && html` <button type="button" class="small" onClick=${stop.run}>Stop</button>`}</p>
      <progress max="1" value=${progress.share ?? undefined} aria-label=${progress.text}></progress></div>`}
    <${Problem} error=${error} />`;
}
