"""All of NAS-Bench-201: counts against the published table, hashes against brute force and the published classes."""

from collections import defaultdict

import pytest
import torch

from space.analysis import analyse
from space.build import build
from tests import nasbench201

pytestmark = pytest.mark.integration


def test_all_cells() -> None:
    rows, space = nasbench201.table(), nasbench201.space()
    hashes: dict[str, str] = {}
    for row in rows:
        architecture = nasbench201.cell(space, row.code)
        costs = analyse(architecture)
        assert (costs.params, costs.macs) == nasbench201.counts(row.code)
        assert costs.params == row.params
        assert f"{costs.macs / 1e6:.6g}" == f"{float(row.mmacs):.6g}"
        hashes[row.code] = architecture.hash
    forms = {row.code: nasbench201.same(row.code) for row in rows}
    # two partitions are one exactly when pairing them makes no more classes
    assert len(set(hashes.values())) == len(set(forms.values())) == 5650
    assert len({(hashes[code], forms[code]) for code in hashes}) == 5650


def test_cells_of_one_hash_are_of_one_published_kind() -> None:
    """The published rule compares texts, in which zeros and brackets leave traces; without these it is coarser.

    6,466 classes are published, of which 4,930 are left once x + 0 is x and a sum of sums is one sum. No hash is met in
    two of those, so whatever the hash takes for one network, the authors' rule does as well.
    """
    rows, space = nasbench201.table(), nasbench201.space()
    assert len({row.group for row in rows}) == 6466
    by_hash, by_group = defaultdict(set), defaultdict(set)
    for row in rows:
        kind = published_rule(row.code)
        by_hash[nasbench201.cell(space, row.code).hash].add(kind)
        by_group[row.group].add(kind)
    assert len(set().union(*by_group.values())) == 4930
    assert all(len(kinds) == 1 for kinds in (*by_hash.values(), *by_group.values()))


def published_rule(code: str) -> tuple[str, ...]:
    """`Structure.to_unique_str(consider_zero=True)` of the authors, over terms of a sum in place of texts."""
    nodes: list[tuple[str, ...]] = [("0",), (), (), ()]
    for (start, end), digit in zip(nasbench201.EDGES, code, strict=True):
        if digit == "0" or not nodes[start]:
            continue
        terms = nodes[start] if digit == "1" else (f"({'+'.join(nodes[start])})@{digit}",)
        nodes[end] = tuple(sorted((*nodes[end], *terms)))
    return nodes[3]


def test_a_few_hundred_give_logits() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    space = nasbench201.space()
    x = torch.randn(2, 3, 32, 32)
    for number in range(0, 5**6, 61):  # 257 of them
        code = "".join(str(number // 5**place % 5) for place in range(6))
        module = build(nasbench201.cell(space, code)).eval()
        assert module(x).shape == (2, 10)
        assert sum(p.numel() for p in module.parameters()) == nasbench201.counts(code)[0]
