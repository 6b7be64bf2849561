"""What one graph layer takes, forward and backward: torch_geometric beside plain torch, interleaved, medians.

    python -m benchmarks.graphs [--data ../shared/data/cora/cora.npz] [--repeats 30] [--json OUT]

Cora: 2,708 nodes, 10,556 edges (both directions), 1,433 features. "first" is a layer on these features, "hidden" one on
the 16 or 64 that it gives. The linear layer alone is what no way of passing messages can save.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv, SAGEConv, SimpleConv

WIDTHS = (16, 64)


class Alone(nn.Module):
    """The linear layer, no messages."""

    def __init__(self, features: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, out)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        result: Tensor = self.linear(x)
        return result


class PlainGCN(nn.Module):
    """gcn_conv in plain torch. add: puts the sum of the neighbours' features on top of a node's own."""

    def __init__(self, features: int, out: int, add: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.linear, self.add = nn.Linear(features, out, bias=False), add
        self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        degree = torch.ones(len(x)).index_add(0, edges[1], torch.ones(edges.shape[1]))
        scale = degree.rsqrt().unsqueeze(1)
        return self.add(self.linear(x) * scale, edges) * scale + self.bias


def by_index(x: Tensor, edges: Tensor) -> Tensor:
    """With index_add."""
    return x.index_add(0, edges[1], x[edges[0]])


def by_matrix(x: Tensor, edges: Tensor) -> Tensor:
    """With a sparse matrix, made anew as in every other way."""
    ones = torch.ones(edges.shape[1])
    matrix = torch.sparse_coo_tensor(edges.flip(0), ones, (len(x), len(x)), check_invariants=False)
    result: Tensor = x + torch.sparse.mm(matrix, x)
    return result


class ProjectedSAGE(nn.Module):
    """The block `sage`: weights first, then the mean over the neighbours."""

    def __init__(self, features: int, out: int) -> None:
        super().__init__()
        self.own, self.message = nn.Linear(features, out), nn.Linear(features, out, bias=False)
        self.neighbours = SimpleConv("mean")

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        result: Tensor = self.own(x) + self.neighbours(self.message(x), edges)
        return result


def layers(features: int, out: int) -> dict[str, nn.Module]:
    """Every layer that is measured, by name."""
    return {
        "linear alone": Alone(features, out),
        "GCN, torch_geometric": GCNConv(features, out),
        "GCN, index_add": PlainGCN(features, out, by_index),
        "GCN, torch.sparse": PlainGCN(features, out, by_matrix),
        "SAGE, torch_geometric, mean first": SAGEConv(features, out),
        "SAGE, torch_geometric, weights first": ProjectedSAGE(features, out),
    }


def cora(path: Path) -> tuple[Tensor, Tensor]:
    """x (N, F) of 0 and 1, edges (2, E) in both directions."""
    with np.load(path, allow_pickle=False) as data:
        x = torch.zeros(tuple(data["x_shape"].tolist()))
        rows = np.repeat(np.arange(len(x)), np.diff(data["x_indptr"]))
        x[torch.from_numpy(rows), torch.from_numpy(data["x_indices"].astype(np.int64))] = 1
        edges = torch.from_numpy(data["edges"].astype(np.int64)).T
    return x, torch.cat([edges, edges.flip(0)], dim=1)


def measure(x: Tensor, edges: Tensor, out: int, repeats: int) -> dict[str, float]:
    """Median milliseconds of one forward and backward pass by layer."""
    made = layers(x.shape[1], out)
    taken: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(repeats + 3):
        for name, layer in made.items():
            layer.zero_grad()
            start = time.perf_counter()
            layer(x, edges).sum().backward()
            taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(times[3:]) for name, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/cora/cora.npz"))
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    x, edges = cora(asked.data)
    columns = {
        f"{place}, {out}": measure(given, edges, out, asked.repeats)
        for out in WIDTHS
        for place, given in (("first", x), ("hidden", torch.randn(len(x), out, requires_grad=True)))
    }
    print(f"{'milliseconds':38}{''.join(f'{name:>12}' for name in columns)}")
    for layer in next(iter(columns.values())):
        print(f"{layer:38}{''.join(f'{column[layer]:>12.2f}' for column in columns.values())}")
    if asked.json:
        asked.json.write_text(json.dumps(columns, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
