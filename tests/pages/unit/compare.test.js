import assert from "node:assert/strict";
import { test } from "node:test";
import { curve, facts } from "../../../api/pages/pages/compare.js";
import { TrialTable } from "../../../api/pages/trials.js";

/** @param {Record<string, any>} changes @returns {any} */
function compared(changes = {}) {
  const table = new TrialTable();
  table.load(/** @type {any} */ ({
    event: 9, rows: 3, measures: {}, choices: {},
    columns: {
      number: [0, 1, 2], state: ["completed", "completed", "running"], provenance: ["baseline", "random", "controller"],
      params: [100, 50, 70], macs: [1, 2, 3], search_score: [0.5, 0.8, null], epochs: [2, 2, 1], attempts: [1, 1, 1], seconds: [3, 4, 0],
      reason: [null, null, null], started_at: [1, 2, 3], finished_at: [10, 19, null],
    },
  }));
  const spec = { space: {}, controller: { name: "auto" }, budget: { seconds: 600, trials: null, epochs: null }, seed: 0 };
  const job = {
    dataset: "digits", spec, started_at: "1970-01-01T00:00:05Z", best: { trial: 1, search_score: 0.8 }, final_score: null, stopped_because: null,
    progress: { trials: { completed: 2 }, trials_total: null, seconds_used: 30 }, ...changes,
  };
  return { job, table };
}

test("a curve is the best so far by seconds since the start", () => {
  assert.deepEqual(curve(compared()), { x: [5, 14], y: [0.5, 0.8] });
});

test("rows say in which the jobs differ", () => {
  const rows = facts([compared(), compared({ final_score: 0.75, dataset: "shirts" })]);
  assert.deepEqual(rows.filter((row) => row.differ).map((row) => row.name), ["Data set", "Final score"]);
  assert.deepEqual(rows.find((row) => row.name === "Final score")?.values, ["–", "0.7500"]);
  assert.deepEqual(rows.find((row) => row.name === "Parameters of the best")?.values, ["50", "50"]);
  assert.equal(rows.find((row) => row.name === "Space")?.values[0], "own");
});

test("a job without a score has no costs", () => {
  const rows = facts([compared({ best: null })]);
  assert.equal(rows.find((row) => row.name === "MACs of the best")?.values[0], "–");
});
