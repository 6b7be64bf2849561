"""The bench of searches: what it lets a search see, its clock, its figures, and its command line from end to end."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from benchmarks.search.__main__ import main, parse
from benchmarks.search.macro import DECISIONS, OPERATIONS, Macro
from benchmarks.search.measure import Verdict, measure
from benchmarks.search.references import REFERENCES, replay
from benchmarks.search.remembered import Anywhere, Listed, Remembered, built
from benchmarks.search.simulate import Limits, Run, simulate
from benchmarks.search.spaces import Task, bench, flat, toy_key, trap
from benchmarks.search.tables import Scores, Source, judged, searchable, zero_cost
from search.factory import make_controller
from search.proposing.walks import every_walk
from search.spec import ControllerSpec
from search.testing.toys import chain
from space.analysis import analyse
from space.architecture import Architecture
from space.decision import Choose
from space.space import replay as again

COLUMNS = ("index", "op_code", "x_val", "x_val_t0", "x_val_t1", "x_val_12ep", "x_test", "c10_train_s_per_epoch")
ROWS = (
    ("0", "000000", "50.0", "49.0", "51.0", "30.0", "55.0", "1.0"),
    ("1", "000001", "60.0", "60.0", "", "35.0", "58.0", "2.0"),
)


def table(folder: Path, *, without: tuple[str, ...] = ()) -> Path:
    file = folder / "table.csv.gz"
    kept = [column for column in COLUMNS if column not in without]
    with gzip.open(file, "wt", newline="") as text:
        writer = csv.DictWriter(text, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(dict(zip(COLUMNS, row, strict=True)) for row in ROWS)
    return file


def source(file: Path) -> Source:
    return Source(
        file=file,
        key="op_code",
        value="x_val",
        runs=("x_val_t0", "x_val_t1", "x_val_t2"),
        short="x_val_12ep",
        test="x_test",
        seconds="c10_train_s_per_epoch",
        cost_scale=2.0,
    )


# What a search may see.


def test_a_search_needs_no_test_column(tmp_path: Path) -> None:
    scores = searchable(source(table(tmp_path, without=("x_test",))))
    assert scores.runs == {"000000": (50.0,), "000001": (60.0,)}
    with pytest.raises(KeyError):
        judged(source(table(tmp_path, without=("x_test",))))


def test_noise_is_that_of_single_runs_where_there_are_any(tmp_path: Path) -> None:
    noisy = searchable(source(table(tmp_path)), noisy=True, noise=0.3)
    assert (noisy.runs, noisy.noise) == ({"000000": (49.0, 51.0), "000001": (60.0,)}, 0.0)
    bare = searchable(source(table(tmp_path, without=("x_val_t0", "x_val_t1"))), noisy=True, noise=0.3)
    assert (bare.runs, bare.noise) == ({"000000": (50.0,), "000001": (60.0,)}, 0.3)


def test_a_training_costs_its_epochs(tmp_path: Path) -> None:
    short = searchable(source(table(tmp_path)), epochs=12)
    assert short.seconds == pytest.approx({"000000": 24.7, "000001": 49.4})
    assert short.runs == {"000000": (30.0,), "000001": (35.0,)}


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no column x_val_12ep; there are index, op_code"):
        searchable(source(table(tmp_path, without=("x_val_12ep",))), epochs=12)


def test_guesses_are_ranked(tmp_path: Path) -> None:
    file = tmp_path / "guesses.csv"
    file.write_text("index,y_flops,y_nwot,y_synflow\n0,10,7,\n1,20,8,3.5\n")
    guesses = zero_cost(file, "y", {"0": "a", "1": "b"})
    assert guesses["b"] == pytest.approx(-guesses["a"]) == pytest.approx(3 * 0.67449, rel=1e-4)


# Spaces.


def test_a_cell_has_the_published_code() -> None:
    of = bench(parse(["--space", "nasbench201", "--table", "nowhere.csv"]))
    assert of.choices("012343") == {
        "cell.edge0_1": "none",
        "cell.edge0_2": "skip_connect",
        "cell.edge1_2": "nor_conv_1x1",
        "cell.edge0_3": "nor_conv_3x3",
        "cell.edge1_3": "avg_pool_3x3",
        "cell.edge2_3": "nor_conv_3x3",
    }


@pytest.mark.parametrize(
    ("code", "params", "macs"), [("00000000", 387_882, 7_713_280), ("00000001", 791_594, 14_115_328)]
)
def test_macro_networks_cost_what_is_published(code: str, params: int, macs: int) -> None:
    costs = analyse(built(Macro(), DECISIONS, tuple(OPERATIONS[int(digit)] for digit in code)))
    assert (costs.params, costs.macs) == (params, macs)


def test_remembered_walks_are_the_same() -> None:
    toy, space = chain(2), Remembered(chain(2))
    walks = [walk.choices for walk, _ in every_walk(toy)]
    for _ in range(2):
        assert all(space.sample(again(choices)) == toy.sample(again(choices)) for choices in walks[::17])
    first = space.sample(again(walks[3]))
    assert space.sample(again(walks[3])) is first


def test_listed_architectures_are_built_when_looked_into() -> None:
    toy = trap()
    decisions = next(walk.decisions for walk, _ in every_walk(toy))
    built_ = []

    class Watched(Remembered):
        def sample(self, choose: Choose) -> Architecture:
            built_.append(1)
            return super().sample(choose)

    space = Listed(Watched(toy), decisions, {(1, 2, 3, 1, 2, 3): "known"})
    found = space.sample(again({f"layers.{i}.width": 1 + i % 3 for i in range(6)}))
    assert isinstance(found, Architecture)
    assert (found.hash, built_) == ("known", [])
    assert analyse(found).params > 0
    assert found == toy.sample(again({f"layers.{i}.width": 1 + i % 3 for i in range(6)}))
    assert built_ == [1]


def test_a_search_can_begin_anywhere() -> None:
    firsts = {str(Anywhere(flat(), seed).baseline()) for seed in range(20)}
    assert len(firsts) > 15


# The clock.


def task(seconds: dict[str, float] | None = None) -> Task:
    """The trap, whose architectures take 1 second each in short trainings and 10 in full."""
    toy = trap()
    values = {toy_key(choices): toy.reward(choices) for choices in toy.choices()}
    decisions = next(walk.decisions for walk, _ in every_walk(toy))
    short = Scores(runs={k: (v,) for k, v in values.items()}, seconds=dict.fromkeys(values, 1.0), epochs=12)
    full = Scores(runs={k: (v,) for k, v in values.items()}, seconds=dict.fromkeys(values, 10.0), epochs=200)
    return Task(space=Remembered(toy), key=toy_key, trials=short, full=full, percent=False, decisions=tuple(decisions))


def run(limits: Limits, name: str = "random", seed: int = 0) -> Run:
    of = task()
    return simulate(make_controller(ControllerSpec(name=name), space=of.space, seed=seed), of, limits, seed)


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_spend_the_same_and_end_sooner(workers: int) -> None:
    found = run(Limits(queries=1000, seconds=20.5, workers=workers))
    assert (len(found.codes), found.spent, found.at[-1]) == (20, 20.0, 20 / workers)


def test_finalists_are_paid_from_the_same_budget() -> None:
    found = run(Limits(queries=1000, seconds=50.0, finalists=3))
    assert (len(found.codes), found.spent) == (20, 50.0)
    assert found.found == found.codes[found.best]


def test_the_best_so_far_is_named() -> None:
    found = run(Limits(queries=30))
    assert [found.values[place] for place in found.chosen] == [max(found.values[: n + 1]) for n in range(30)]


@pytest.mark.parametrize("name", [name for name in REFERENCES if "optuna" not in name])
def test_references_pay_for_each_architecture_once(name: str) -> None:
    found = replay(REFERENCES[name], task(), Limits(queries=60), seed=1)
    assert len(set(found.hashes)) == len(found.hashes) == 60
    assert found.spent == 60


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["ref-optuna-tpe", "ref-optuna-gp"])
def test_optuna_as_it_comes(name: str) -> None:
    assert len(set(replay(REFERENCES[name], task(), Limits(queries=12), seed=1).hashes)) == 12


# Figures.


def test_figures_of_known_runs() -> None:
    of = bench(parse(["--space", "trap"]))
    verdict = Verdict(of, of.task())
    worst, best = (" ".join(f"layers.{i}.width={width}" for i in range(6)) for width in (2, 3))
    runs = []
    for place in (3, 12, 200):
        one = Run()
        for number in range(1, 61):
            code = best if number == place else worst
            one.end(code, of.task().architecture(of.choices(code)).hash, of.judge().test[code], float(number))
        one.ask_ms, one.found = [1.0], one.codes[one.best]
        runs.append(one)
    figures = measure(runs, verdict)
    assert figures["median_queries_to_best"] == 12
    assert figures["share_at_best"] == pytest.approx(
        {"10": 1 / 3} | dict.fromkeys(("20", "30", "50", "75", "100", "150"), 2 / 3)
    )
    assert figures["mean_regret"]["10"] == pytest.approx(0.6 * 2 / 3)
    assert figures["mean_test"]["150"] == pytest.approx(1 - 0.6 / 3)
    assert figures["quantiles_queries_to_best"] == {"0.1": 3, "0.25": 3, "0.5": 12, "0.75": None, "0.9": None}


@pytest.mark.heavy
def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    wanted = "--controllers random,local_search:starts=3 --references ref-random,ref-evolution-10/3 --seeds 2"
    main(["--space", "trap", *wanted.split(), "--queries", "20", "--processes", "1", "--json", str(out)])
    document = json.loads(out.read_text())
    assert list(document["controllers"]) == ["random", "local_search:starts=3"]
    assert list(document["references"]) == ["ref-random", "ref-evolution-10/3"]
    figures = document["controllers"]["random"]
    assert figures["seeds"] == 2
    assert figures["repeats"] == 0
    assert figures.keys() >= {"median_queries_to_best", "share_at_best", "mean_test", "mean_regret", "ask_ms"}
    assert out.with_suffix(".md").read_text().strip() == capsys.readouterr().out.strip()
    assert {path.name for path in tmp_path.glob("*.png")} == {
        f"out-{kind}.png" for kind in ("queries", "seconds", "share")
    }


@pytest.mark.parametrize(
    ("arguments", "law"),
    [
        (["--controllers", "tpee"], "did you mean 'tpe'"),
        (["--controllers", "tpe:startup=0"], "a whole number from 1 to 1000"),
        (["--references", "ref-magic"], "no references ref-magic"),
        (["--protocol", "P3"], "scores of two lengths"),
        (["--space", "nasbench201"], "needs --table"),
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str], law: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=law):
        main(["--space", "trap", *arguments, "--json", str(tmp_path / "out.json")])
