"""Controllers on tables of trained architectures, through the same ask and tell as the service.

    python -m benchmarks.search --space nasbench201 --table FILE --column-prefix c10 --protocol P1 \
        --controllers random,tpe,reinforce --seeds 100 --json OUT.json

Protocols: what a trial scores, and when a search is over.

    P1  the mean of the long trainings, %; after --queries trials
    P2  one long training, drawn anew for each trial where the table has single ones, else with noise of --noise-sd
    P3  the short training of 12 epochs; when the workers together have spent --budget-seconds. What was found is judged
        by its long training. --finalists N: the search ends early enough to train its best N in full, one long training
        each, and names the best of them
    P4  P3 with 1, 4, 16 and 64 workers

--zero-cost: controllers with a surrogate rank half of their starts by these guesses in the place of parameter counts.

A controller is a name of `search/factory.py`, with options after colons: `reinforce:entropy=0.05:finalists=5`.
Written: --json OUT.json with all figures, the same name with .md (a table) and with -queries.png, -seconds.png and
-share.png (pictures). Scores are as the table has them, mostly percent; times to ask are real milliseconds. A trial is
one network: codes with one canonical hash are one, and the best is what has the best score of the column searched.

The service's controllers begin with the space's baseline, which in NAS-Bench-201 is a good network, ResNet's. The
references do not know it; --no-baseline has the controllers begin with a random one as well.
"""

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks.search.report import Report
from benchmarks.search.run import plans, run_all
from benchmarks.search.spaces import SPACES


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that search: one core each
    report = Report(options)
    for plan, runs in run_all(options, plans(options)):
        report.add(plan, runs)
    report.finish()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--space", choices=SPACES, default="nasbench201")
    parser.add_argument("--table", type=Path, help="CSV, also gzipped; toys need none")
    parser.add_argument("--column-prefix", default="c10", help="of the score columns: PREFIX_val, PREFIX_test …")
    parser.add_argument("--protocol", choices=("P1", "P2", "P3", "P4"), default="P1")
    parser.add_argument("--controllers", default="random,tpe,reinforce")
    parser.add_argument("--zero-cost", type=Path, help="CSV of guesses without training, for the starts of a surrogate")
    parser.add_argument("--zero-cost-prefix", default="c10", help="of the columns PREFIX_flops, _nwot and _synflow")
    parser.add_argument("--references", default="all", help="all, none, or names with commas")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument(
        "--queries", type=int, help="trials of a search: 150; in P3 and P4 as many as the budget allows"
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--budget-seconds", type=float, default=20_000.0, help="of all workers together, in P3 and P4")
    parser.add_argument("--finalists", type=int, default=0, help="in P3 and P4, for all controllers that say no number")
    parser.add_argument("--no-baseline", action="store_true", help="trial 0 is a random architecture")
    parser.add_argument("--cost-scale", type=float, default=1.0, help="factor on the table's seconds")
    parser.add_argument("--noise-sd", type=float, default=0.35, help="points, where noise is wanted and no single runs")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, default=Path(tempfile.gettempdir()) / "archsmith-search.json")
    options = parser.parse_args(arguments)
    if options.queries is None:
        options.queries = 150 if options.protocol in ("P1", "P2") else 10_000
    return options


if __name__ == "__main__":
    main()
