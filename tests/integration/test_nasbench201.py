"""All of NAS-Bench-201: counts against the published table, hashes against brute force and the published classes."""

import itertools
from collections import defaultdict

import pytest
import torch

from space.analysis import analyse
from space.build import build
from tests import nasbench201

pytestmark = [pytest.mark.integration, pytest.mark.slow]  # two minutes; `tests/unit/space/test_cells.py` samples


Measured = dict[str, tuple[int, int, str]]
"""Parameters, MACs and hash by code."""


@pytest.fixture(scope="module")
def measured() -> Measured:
    """Of all 15,625 cells: 40 s."""
    space, found = nasbench201.space(), {}
    for digits in itertools.product("01234", repeat=6):
        code = "".join(digits)
        architecture = nasbench201.cell(space, code)
        costs = analyse(architecture)
        found[code] = (costs.params, costs.macs, architecture.hash)
    return found


def test_all_counts_are_those_of_the_published_table(measured: Measured) -> None:
    rows = nasbench201.table()
    assert {row.code for row in rows} == set(measured)
    for row in rows:
        params, macs, _ = measured[row.code]
        assert (params, macs) == nasbench201.counts(row.code)
        assert params == row.params
        assert f"{macs / 1e6:.6g}" == f"{float(row.mmacs):.6g}"


def test_cells_have_one_hash_exactly_when_they_are_the_same(measured: Measured) -> None:
    hashes = {code: digest for code, (_, _, digest) in measured.items()}
    forms = {code: nasbench201.same(code) for code in measured}
    # two partitions are one exactly when pairing them makes no more classes
    assert len(set(hashes.values())) == len(set(forms.values())) == 5650
    assert len({(hashes[code], forms[code]) for code in hashes}) == 5650


def test_cells_of_one_hash_are_of_one_published_kind(measured: Measured) -> None:
    """The published rule compares texts, in which zeros and brackets leave traces; without these it is coarser.

    6,466 classes are published, of which 4,930 are left once x + 0 is x and a sum of sums is one sum. No hash is met in
    two of those, so whatever the hash takes for one network, the authors' rule does as well.
    """
    rows = nasbench201.table()
    assert len({row.group for row in rows}) == 6466
    by_hash, by_group = defaultdict(set), defaultdict(set)
    for row in rows:
        kind = published_rule(row.code)
        by_hash[measured[row.code][2]].add(kind)
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
