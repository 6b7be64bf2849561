/** A folder as one zip archive, stored without compression: pictures are compressed already. */

/** @import { Found } from "./drop.js" */

/** @type {Uint32Array | null} */
let table = null;

/** CRC-32 as in zip files. @param {Uint8Array} bytes */
export function crc32(bytes) {
  table ??= Uint32Array.from({ length: 256 }, (_, start) => {
    let value = start;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    return value >>> 0;
  });
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at += 1) crc = table[(crc ^ bytes[at]) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Little-endian numbers of 2 or 4 bytes. @param {[number, 2 | 4][]} fields @returns {Uint8Array<ArrayBuffer>} */
function packed(fields) {
  const bytes = new Uint8Array(fields.reduce((sum, [, width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [value, width] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return bytes;
}

const UTF8 = 0x0800;
const DAY = 0x21; // 1 January 1980: the files' times do not matter

/**
 * The archive's parts. Files are read once for their sums, and again when the archive is sent.
 *
 * @param {Found[]} files @param {(share: number) => void} [onProgress]
 * @returns {Promise<Blob>} Throws for more than zip without extensions can hold.
 */
export async function zipped(files, onProgress = () => {}) {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  if (files.length > 65_000 || total > 4_000_000_000) {
    throw new Error("The folder is too large to be packed here (65,000 files, 4 GB). Pack it as a zip or tar archive and drop that.");
  }
  /** @type {BlobPart[]} */ const parts = [];
  /** @type {BlobPart[]} */ const directory = [];
  let offset = 0;
  let directorySize = 0;
  for (const [at, { file, path }] of files.entries()) {
    const name = new TextEncoder().encode(path);
    const crc = crc32(new Uint8Array(await file.arrayBuffer()));
    /** @type {[number, 2 | 4][]} */
    const same = [[20, 2], [UTF8, 2], [0, 2], [0, 2], [DAY, 2], [crc, 4], [file.size, 4], [file.size, 4], [name.length, 2], [0, 2]];
    const head = packed([[0x04034b50, 4], ...same]);
    const entry = packed([[0x02014b50, 4], [20, 2], ...same, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]]);
    parts.push(head, name, file);
    directory.push(entry, name);
    offset += head.length + name.length + file.size;
    directorySize += entry.length + name.length;
    onProgress((at + 1) / files.length);
  }
  const count = files.length;
  const end = packed([[0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [directorySize, 4], [offset, 4], [0, 2]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}
