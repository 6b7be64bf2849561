import assert from "node:assert/strict";
import { test } from "node:test";
import { flat } from "../../../api/pages/charts/curves.js";
import { points } from "../../../api/pages/charts/cost.js";
import { coordinates, kept, shortName } from "../../../api/pages/charts/parallel.js";
import { parser } from "../../../api/pages/events.js";
import { matching, sorted } from "../../../api/pages/table.js";
import { TrialTable, incumbents } from "../../../api/pages/trials.js";

/** @param {number} event */
function answer(event) {
  return {
    event, rows: 3,
    columns: {
      number: [0, 1, 2], state: ["completed", "completed", "running"], provenance: ["baseline", "random", "controller"],
      params: [100, 50, 70], macs: [1, 2, 3], search_score: [0.5, 0.8, null], epochs: [2, 2, 1], attempts: [1, 1, 1], seconds: [3, 4, 0],
      reason: [null, null, null], started_at: [1, 2, 3], finished_at: [10, 9, null],
    },
    measures: {},
    choices: { width: { options: [16, 8], chosen: [0, 1, 0] }, head: { options: ["linear"], chosen: [0, 0, 0] } },
  };
}

/** @param {number} id @param {string} kind @param {Record<string, any>} data */
const event = (id, kind, data) => ({ id, kind, at: "2026-01-01T00:00:00Z", data });

function loaded() {
  const table = new TrialTable();
  table.load(answer(20));
  return table;
}

test("the best so far follows the order in which trials ended", () => {
  const table = loaded();
  assert.deepEqual(table.scored(), [1, 0]);
  assert.deepEqual(incumbents(table, [1, 0]), [0.8, 0.8]);
  assert.deepEqual(incumbents(table, [0, 1]), [0.5, 0.8]);
});

test("random arms and stopped trials are never the best", () => {
  const table = loaded();
  table.columns.provenance[1] = "random_arm";
  assert.deepEqual(incumbents(table, [1, 0]), [null, 0.5]);
  table.columns.state[0] = "pruned";
  assert.deepEqual(incumbents(table, [1, 0]), [null, null]);
});

test("events move trials, and those that the answer holds are not applied twice", () => {
  const table = loaded();
  assert.equal(table.apply(event(20, "trial_state", { number: 0, state: "failed" })), false);
  assert.equal(table.columns.state[0], "completed");
  table.apply(event(21, "trial_added", { number: 3, state: "waiting", reason: null, params: 9, macs: 8, provenance: "random" }));
  assert.equal(table.rows, 4);
  assert.equal(table.incomplete, true, "its decisions are not known");
  table.apply(event(22, "measurement", { number: 3, epoch: 1, score: 0.4 }));
  assert.equal(table.scoreOf(3), 0.4);
  const ended = { number: 3, state: "completed", attempts: 1, reason: null, search_score: 0.9, epochs: 1, seconds: 5, measures: { latency_ms: 2 } };
  table.apply(event(23, "trial_state", ended));
  assert.equal(table.scoreOf(3), 0.9);
  assert.deepEqual(table.measures.latency_ms, [null, null, null, 2]);
  assert.equal(table.columns.finished_at[3], Date.parse("2026-01-01T00:00:00Z") / 1000);
});

test("an answer that is older than the events loses nothing of them", () => {
  const table = loaded();
  const ended = { number: 2, state: "completed", attempts: 1, reason: null, search_score: 0.95, epochs: 2, seconds: 5, measures: { latency_ms: 3 } };
  table.apply(event(21, "trial_state", ended));
  table.apply(event(22, "trial_added", { number: 3, state: "waiting", reason: null, params: 9, macs: 8, provenance: "controller" }));
  table.load(answer(20));
  assert.equal(table.columns.state[2], "completed");
  assert.equal(table.columns.search_score[2], 0.95);
  assert.equal(table.measures.latency_ms[2], 3);
  assert.equal(table.rows, 4);
  assert.equal(table.choices.width.chosen.length, 4);
  assert.equal(table.event, 22);
});

test("curves take each epoch once", () => {
  const table = loaded();
  for (const epoch of [1, 1, 2, 1]) table.apply(event(5, "measurement", { number: 0, epoch, score: epoch / 10 }));
  assert.deepEqual(table.curves.get(0), [1, 0.1, 2, 0.2]);
  assert.deepEqual(flat([[0, [1, 0.1, 2, 0.2]], [1, [1, 0.3]]]), { x: [1, 2, 1], y: [0.1, 0.2, 0.3], breaks: [0, 2], trials: [0, 0, 1] });
});

test("what has no value is last, whichever way a column is sorted", () => {
  const values = [3, null, 1];
  const value = (/** @type {number} */ row) => values[row];
  assert.deepEqual(sorted([0, 1, 2], value, false), [2, 0, 1]);
  assert.deepEqual(sorted([0, 1, 2], value, true), [0, 2, 1]);
});

test("trials are found by state, number, origin and reason", () => {
  const table = loaded();
  table.columns.reason[2] = "Out of memory";
  assert.deepEqual(matching(table, "completed", "", null), [0, 1]);
  assert.deepEqual(matching(table, "", "2", null), [2]);
  assert.deepEqual(matching(table, "", "random", null), [1]);
  assert.deepEqual(matching(table, "", "memory", null), [2]);
  assert.deepEqual(matching(table, "", "", new Set([1])), [1]);
});

test("axes are the decisions in which trials differ, and the score", () => {
  const table = loaded();
  const axes = coordinates(table);
  assert.deepEqual(axes.map(({ name }) => name), ["width", "score"]);
  assert.deepEqual(axes[0].options.map(({ text }) => text), ["8", "16"], "numbers in their order");
  assert.deepEqual([...axes[0].places], [1, 0, 1]);
  assert.deepEqual(kept(axes, {}), null);
  assert.deepEqual(kept(axes, { width: [0.9, 1] }), new Set([0, 2]));
  assert.deepEqual(kept(axes, { width: [0.9, 1], score: [0, 1] }), new Set([0]), "without a score it is not on that axis");
  assert.deepEqual(shortName("stages.1.blocks.0.kernel"), ["stage 1 blocks 0", "kernel"]);
  assert.deepEqual(points(table, "params", new Set([0])).x, [100]);
});

test("events arrive whole, however the text is cut", () => {
  /** @type {[string, string][]} */
  const seen = [];
  const read = parser((name, data) => seen.push([name, data]));
  const text = 'retry: 2000\n\nid: 1\nevent: job_state\ndata: {"id":1}\n\n: keep-alive\n\nevent: end\ndata: {}\n\n';
  for (const letter of text) read(letter);
  assert.deepEqual(seen, [["job_state", '{"id":1}'], ["end", "{}"]]);
});
