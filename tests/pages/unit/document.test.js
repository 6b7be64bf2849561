import assert from "node:assert/strict";
import { test } from "node:test";
import { BLANK, asCurl, asPython, asYaml, jobDocument, python } from "../../../api/pages/document.js";
import { guess, nameOf } from "../../../api/pages/formats.js";
import { extended, verbs } from "../../../api/pages/pages/actions.js";
import { valueOf } from "../../../api/pages/pages/controller.js";
import { filtered } from "../../../api/pages/pages/jobs.js";
import { certainty } from "../../../api/pages/pages/result.js";
import { fitting } from "../../../api/pages/pages/space.js";
import { likeliest } from "../../../api/pages/pages/try.js";
import { route, to } from "../../../api/pages/route.js";

const ID = "107a421c-31eb-47ff-9f41-57a53b3e0e50";

test("a document has only what was changed", () => {
  assert.deepEqual(jobDocument({ ...BLANK, dataset: "digits" }), { dataset: "digits", budget: { seconds: 600 } });
  const form = { ...BLANK, dataset: "cats", name: "x", space: "tiny", controller: "tpe", options: { startup: 5 }, by: /** @type {const} */ ("trials"), minimize: "params", constraints: " params <= 10 \n\n", seed: "3", compress: true };
  assert.deepEqual(jobDocument(form), {
    dataset: "cats", name: "x", space: "tiny", controller: { name: "tpe", startup: 5 },
    objective: { maximize: "score", minimize: "params", constraints: ["params <= 10"] }, budget: { trials: 30, epochs: 5 }, seed: 3, compress: {},
  });
  assert.deepEqual(jobDocument({ ...BLANK, by: "trials", trials: "many" }).budget, { trials: "many", epochs: 5 }, "the service says what is wrong");
});

test("the same as a command, as Python, as YAML", () => {
  const document = { dataset: "digits", name: "it's", reproducible: true, budget: { seconds: 600 }, objective: { constraints: ["params <= 10"] } };
  assert.match(asCurl(document, "http://127.0.0.1:8080"), /it'\\''s/);
  assert.match(asPython(document, "http://127.0.0.1:8080"), /with Client\(\) as client/);
  assert.match(asPython(document, "http://h:1"), /Client\("http:\/\/h:1"\)/);
  assert.equal(python({ a: [null, true, 1.5, "x"] }), '{"a": [None, True, 1.5, "x"]}');
  assert.equal(asYaml(document), 'dataset: digits\nname: "it\'s"\nreproducible: true\nbudget:\n  seconds: 600\nobjective:\n  constraints: [params <= 10]\n');
  assert.equal(asYaml({ a: "yes", b: "12", c: [{ d: 1, e: [2] }], f: {}, g: null }), 'a: "yes"\nb: "12"\nc:\n  - d: 1\n    e: [2]\nf: {}\ng: null\n');
});

test("formats by the names of files", () => {
  assert.equal(guess(["pets/cat/1.png", "pets/notes.txt"]), "images");
  assert.equal(guess(["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]), "idx");
  assert.equal(guess(["a.nii.gz", "labels.csv"]), "nifti");
  assert.equal(guess(["x.unknown"]), null);
  assert.equal(guess(["a.npz", "b.csv"]), null);
  assert.equal(nameOf("my pets/cat/1.png"), "my-pets");
  assert.equal(nameOf("cats.tar.gz"), "cats");
  assert.equal(nameOf("…"), "data");
});

test("addresses", () => {
  assert.deepEqual(route(""), { page: "jobs" });
  assert.deepEqual(route("#/jobs"), { page: "jobs" });
  assert.deepEqual(route(to.job(ID)), { page: "job", id: ID });
  assert.deepEqual(route(to.trial(ID, 2000000)), { page: "trial", id: ID, number: 2000000 });
  assert.deepEqual(route(to.result(ID)), { page: "result", id: ID });
  assert.deepEqual(route(to.dataset("a b")), { page: "datasets", name: "a b" });
  assert.deepEqual(route("#/new?a%20b"), { page: "new", name: "a b" });
  assert.deepEqual(route("#/jobs/../x"), { page: "none" });
});

const JOB = /** @type {any} */ ({
  id: ID, name: "shirts", dataset: "fashion", state: "running", wanted: "run", doing: "trains architectures", reason: null, waiting_for: null, best: { trial: 1 },
  spec: { budget: { trials: null, seconds: 600, epochs: null } },
});

test("jobs by state and text", () => {
  assert.equal(filtered([JOB], "", " FASH ").length, 1);
  assert.equal(filtered([JOB], "queued", "").length, 0);
  assert.equal(filtered([JOB], "running", "cats").length, 0);
});

test("what can be done in each state", () => {
  assert.deepEqual(verbs(JOB), ["pause", "finish", "extend", "cancel"]);
  assert.deepEqual(verbs({ ...JOB, best: null }), ["pause", "extend", "cancel"]);
  assert.deepEqual(verbs({ ...JOB, state: "paused" }), ["resume", "extend", "cancel"]);
  assert.deepEqual(verbs({ ...JOB, state: "succeeded" }), ["extend", "delete"]);
  assert.deepEqual(extended(JOB, 10), { seconds: 1200 });
  assert.deepEqual(extended({ ...JOB, spec: { budget: { trials: 30, seconds: 3600, epochs: 5 } } }, 10), { trials: 40 });
});

test("options of a controller as the service takes them", () => {
  assert.equal(valueOf({ type: "number" }, "0.5"), 0.5);
  assert.equal(valueOf({ type: "number" }, "x"), "x");
  assert.equal(valueOf({ enum: ["1"] }, "1"), "1");
});

test("presets that fit the data", () => {
  const presets = [{ name: "chain", document: {} }, { name: "nodes", document: { data: "nodes" } }];
  const data = (/** @type {string[]} */ ...tasks) => /** @type {any} */ ({ tasks });
  assert.deepEqual(fitting(presets, data("image")).map(({ name }) => name), ["chain"]);
  assert.deepEqual(fitting(presets, data("nodes", "links")).map(({ name }) => name), ["nodes"]);
  assert.equal(fitting(presets, undefined).length, 2);
});

test("how sure a score is", () => {
  const report = { winner: { trial: 4 }, finalists: [{ trial: 4 }, { trial: 4 }, { trial: 5 }], final_score: 0.97, final_score_sd: 0.002, score: "accuracy", dataset: { sizes: { test: 359 } } };
  const words = certainty(report);
  assert.match(words[0], /mean of 2 trainings/);
  assert.match(words[1], /359 samples.*0\.94\d\d to 0\.98\d\d/);
  assert.match(certainty({ ...report, final_score_sd: null })[0], /Trained once/);
  assert.deepEqual(likeliest({ a: 0.1, b: 0.7, c: 0.2 }, 2), [["b", 0.7], ["c", 0.2]]);
});
