import assert from "node:assert/strict";
import { test } from "node:test";
import { count, duration, measure, moment, plural, score, named, shape, signed, size, stopped } from "../../../api/pages/format.js";

test("numbers keep three digits and get a unit", () => {
  const wanted = { 0: "0", 999: "999", 1000: "1k", 1234: "1.23k", 15034: "15k", 133_000: "133k", 999_700: "1M", 4_560_000: "4.56M", 7.89e9: "7.89G" };
  for (const [value, text] of Object.entries(wanted)) assert.equal(count(Number(value)), text);
  assert.equal(count(null), "–");
});

test("scores have four digits, and what is missing a dash", () => {
  assert.equal(score(0.99443), "0.9944");
  assert.equal(score(1), "1.0000");
  assert.equal(score(null), "–");
  assert.equal(score(NaN), "–");
  assert.equal(signed(-0.01), "−0.0100");
});

test("durations in two units", () => {
  /** @type {[number, string][]} */
  const wanted = [[0, "0 s"], [0.44, "0.4 s"], [9.96, "10 s"], [59.6, "1 min"], [60, "1 min"], [200, "3 min 20 s"], [3599.7, "1 h"], [7500, "2 h 5 min"], [7199, "2 h"], [273_600, "3 d 4 h"]];
  for (const [seconds, text] of wanted) assert.equal(duration(seconds), text);
  assert.equal(duration(null), "–");
});

test("sizes, measures, shapes", () => {
  assert.equal(size(12), "12 B");
  assert.equal(size(193_400), "193 kB");
  assert.equal(size(999_600), "1 MB");
  assert.equal(measure(0.0012345), "0.001234");
  assert.equal(measure(1234.4), "1234");
  assert.equal(named("latency_ms"), "latency, ms");
  assert.equal(named("a_new_one"), "a new one");
  assert.equal(shape([1, 28, 28]), "1 × 28 × 28");
  assert.equal(plural(1, "trial"), "1 trial");
  assert.equal(plural(12_345, "class", "classes"), "12,345 classes");
});

test("a moment of another day has its date", () => {
  const now = new Date(2026, 10, 29, 14, 0);
  assert.equal(moment(new Date(2026, 10, 29, 9, 5), now), "09:05");
  assert.equal(moment(new Date(2026, 10, 28, 9, 5), now), "28 Nov 09:05");
  assert.equal(moment(new Date(2025, 0, 2, 9, 5), now), "2 Jan 2025 09:05");
});

test("a reason that is not known is told as it is", () => {
  assert.equal(stopped("budget_seconds"), "its time was used up");
  assert.equal(stopped("a_new_one"), "a new one");
});
