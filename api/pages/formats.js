/** The format of files by their names, as `archsmith/formats.py` guesses it; archives are not opened here. */

/** @type {[string, string][]} */
const ENDINGS = [
  [".npz", "npz"], [".zip", "images"], [".tar", "images"], [".tar.gz", "images"], [".tgz", "images"], [".tar.bz2", "images"],
  [".tar.xz", "images"], ["ubyte", "idx"], ["ubyte.gz", "idx"], ["nodes.csv", "graph"], ["edges.csv", "graph"], [".npy", "npy"],
  [".h5", "hdf5"], [".hdf5", "hdf5"], [".hdf", "hdf5"], [".mat", "mat"], [".bin", "cifar"], ["batches.meta.txt", "cifar"],
  ["_label_names.txt", "cifar"], ["train_X.bin", "stl10"], ["train_y.bin", "stl10"], ["test_X.bin", "stl10"], ["test_y.bin", "stl10"],
  ["class_names.txt", "stl10"], ["cifar-10-binary.tar.gz", "cifar"], ["cifar-100-binary.tar.gz", "cifar"],
  ["stl10_binary.tar.gz", "stl10"], [".csv", "table"], [".parquet", "parquet"], [".nii", "nifti"], [".nii.gz", "nifti"],
];
const PICTURES = /\.(png|jpe?g|jfif|webp|bmp|gif|tiff?)$/i;

/** All formats, those of most people first. */
export const FORMATS = ["images", "npz", "idx", "npy", "hdf5", "mat", "cifar", "stl10", "table", "parquet", "nifti", "graph", "tu"];

/** @param {string[]} paths  of what was dropped; with a / where it was a folder @returns {string | null} */
export function guess(paths) {
  if (paths.some((path) => PICTURES.test(path))) return "images";
  const found = new Set(paths.map((path) => byName(path)).filter((kind) => kind !== null));
  if (found.has("nifti")) return "nifti"; // with its labels.csv
  return found.size === 1 ? [...found][0] : null;
}

/** @param {string} path */
function byName(path) {
  const fitting = ENDINGS.filter(([ending]) => path.endsWith(ending));
  fitting.sort((a, b) => b[0].length - a[0].length);
  return fitting.length > 0 ? fitting[0][1] : null;
}

/** A name for a data set: that of the folder or file, as far as names may have such characters. @param {string} path */
export function nameOf(path) {
  const first = path.split("/")[0];
  const stem = first.replace(/(\.tar)?\.[A-Za-z0-9]+$/, "");
  const name = stem.replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").replace(/[-.]+$/, "").slice(0, 60);
  return name === "" ? "data" : name;
}
