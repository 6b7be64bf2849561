/** How sure a share is that was counted on samples. */

const Z95 = 1.959964;

/** The 95 % confidence interval of a share (Wilson 1927). @param {number} share @param {number} samples @returns {[number, number]} */
export function wilson(share, samples) {
  const z2 = Z95 ** 2;
  const middle = (share + z2 / (2 * samples)) / (1 + z2 / samples);
  const half = (Z95 / (1 + z2 / samples)) * Math.sqrt((share * (1 - share)) / samples + z2 / (4 * samples ** 2));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
