"""What a proposal costs before anything is trained: sampling, measuring and hashing an architecture, for each preset.

    python -m benchmarks.space [--samples 200] [--presets nasbench201 branching] [--json OUT]

Presets take turns, sample by sample, so that other load on the machine affects all alike. A first tenth is left out:
what is looked up afterwards (`space/operations/use.py`) is met there for the first time. Milliseconds, one thread.
"""

import argparse
import json
import random
import statistics
import time
from pathlib import Path

from space import presets
from space.analysis import analyse
from space.space import Space

SHAPES = {"image": (3, 32, 32), "segmentation": (3, 32, 32), "volume": (1, 16, 16, 16)}
FEATURES = (64,)
"""Of a node of graph data."""

PARTS = ("sample", "analyse", "hash", "sum", "nodes")


def space(name: str) -> Space:
    document = presets.load(name)
    shape = SHAPES.get(document.get("data", "image"), FEATURES)
    return Space.parse(document, input_shape=shape, classes=2 if document.get("data") == "links" else 10)


def once(of: Space, draw: random.Random) -> tuple[float, ...]:
    """The times of one architecture, in ms, and its nodes; in the order of PARTS."""
    began = time.perf_counter()
    architecture = of.sample(lambda decision: draw.choice(decision.options))
    sampled = time.perf_counter()
    analyse(architecture)
    analysed = time.perf_counter()
    _ = architecture.hash
    hashed = time.perf_counter()
    parts = (sampled - began, analysed - sampled, hashed - analysed, hashed - began)
    return *(1000 * part for part in parts), len(architecture.nodes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--presets", nargs="+", choices=presets.names(), default=presets.names(), metavar="NAME")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    draw = random.Random(0)
    spaces = {name: space(name) for name in options.presets}
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in spaces}
    for number in range(options.samples * 11 // 10):
        for name, of in spaces.items():
            row = once(of, draw)
            if number >= options.samples // 10:
                rows[name].append(row)
    result = {}
    print(f"{'median (90 %), ms':20}" + "".join(f"{part:>18}" for part in PARTS))
    for name, of_preset in rows.items():
        columns = dict(zip(PARTS, zip(*of_preset, strict=True), strict=True))
        result[name] = {
            part: (statistics.median(column), statistics.quantiles(column, n=10)[-1])
            for part, column in columns.items()
        }
        nodes = f"{result[name]['nodes'][0]:.0f} ({result[name]['nodes'][1]:.0f})"
        times = (f"{median:.2f} ({high:.2f})" for median, high in list(result[name].values())[:-1])
        print(f"{name:20}" + "".join(f"{text:>18}" for text in (*times, nodes)))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
