import assert from "node:assert/strict";
import { test } from "node:test";
import { logTicks, nearest, pareto, range, scale, scoreRange, ticks } from "../../../api/pages/charts/scale.js";
import { wilson } from "../../../api/pages/wilson.js";

test("ticks are round and inside", () => {
  assert.deepEqual(ticks(0, 1, 4), [0, 0.5, 1]);
  assert.deepEqual(ticks(0.71, 0.99, 5), [0.8, 0.9]);
  assert.deepEqual(logTicks(900, 30_000), [1000, 2000, 5000, 10_000, 20_000]);
  assert.deepEqual(logTicks(1, 1e6), [1, 10, 100, 1000, 1e4, 1e5, 1e6]);
});

test("scales go there and back, also for one value and by powers of ten", () => {
  for (const one of [scale(2, 8, 100, 400), scale(10, 1000, 0, 200, true), scale(5, 5, 0, 10)]) {
    assert.ok(Math.abs(one.back(one.at(5)) - 5) < 1e-9);
  }
  assert.equal(scale(10, 1000, 0, 200, true).at(100), 100);
  assert.equal(scale(5, 5, 0, 10).at(5), 5);
});

test("the front has what no other trial beats in both", () => {
  const costs = [10, 20, 30, 20, 5];
  const scores = [0.8, 0.9, 0.85, 0.95, 0.8];
  assert.deepEqual(pareto(costs, scores), [4, 3]);
  assert.deepEqual(pareto([], []), []);
});

test("one trial that failed to learn does not squeeze all others", () => {
  const many = Array.from({ length: 40 }, (_, at) => 0.9 + at * 0.001);
  const [low, high] = scoreRange([0.1, ...many, null]) ?? [0, 0];
  assert.ok(low > 0.85, `${low}`);
  assert.ok(high >= 0.939 && high <= 1);
  assert.equal(scoreRange([null]), null);
});

test("no axis of scores goes on above 1", () => {
  const [, high] = scoreRange([0.5, 1]) ?? [0, 2];
  assert.ok(high >= 1 && high < 1.02);
});

test("range leaves out what is no number", () => assert.deepEqual(range([null, 2, NaN, 1]), [1, 2]));

test("the nearest point within reach", () => {
  assert.equal(nearest([0, 10], [0, 0], 8, 0, 5), 1);
  assert.equal(nearest([0, 10], [0, 0], 5, 50, 5), -1);
});

test("Wilson's interval as in the service", () => {
  const [low, high] = wilson(0.5, 100);
  assert.ok(Math.abs(low - 0.403832) < 1e-6 && Math.abs(high - 0.596168) < 1e-6);
  assert.ok(wilson(1, 50)[1] > 0.999999 && wilson(0, 50)[0] < 1e-6);
});
