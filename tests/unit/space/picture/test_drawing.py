"""The picture: well-formed, self-contained, nothing on top of anything else."""

import re
from itertools import combinations
from random import Random
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.picture.drawing import brief, draw
from space.picture.layout import lay_out
from tests.effort import share
from tests.unit.space.strategies import architectures, random_architecture

SVG = "{http://www.w3.org/2000/svg}"


def rectangles(svg: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of each box."""
    found = []
    for rect in ET.fromstring(svg).iter(f"{SVG}rect"):
        if rect.get("class") == "box":
            x, y, w, h = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
            found.append((x, y, x + w, y + h))
    return found


@settings(max_examples=share(40), deadline=None)
@given(architectures())
def test_boxes_do_not_overlap_and_lie_on_the_page(architecture: Architecture) -> None:
    svg = draw(architecture)
    boxes = rectangles(svg)
    root = ET.fromstring(svg)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(x >= 0 and y >= 0 and right <= width and bottom <= height for x, y, right, bottom in boxes)
    for a, b in combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def branching() -> Architecture:
    g = GraphBuilder((3, 16, 16), 10)
    ends = [g.add(f"stages.0.b{k}.conv", "conv2d", {"out": 8, "kernel": k}, g.input) for k in (1, 3, 5)]
    x = g.add("stages.0.act", "activation", {"kind": "relu"}, g.add("stages.0.concat", "concat", {}, *ends))
    x = g.add("head.flatten", "flatten", {}, g.add("head.pool", "global_avg_pool", {}, x))
    return g.finish(g.add("head.linear", "linear", {"out": 10}, x))


def test_branches_stand_side_by_side_with_their_shapes() -> None:
    svg = draw(branching(), title="trial <3> & more")
    tops = [box[1] for box in rectangles(svg)]
    assert sorted(tops.count(top) for top in set(tops)) == [1, 1, 1, 1, 1, 3]
    for text in ("conv 5×5", "8×16×16", "concat", "relu", "24×16×16", "stages.0", "trial &lt;3&gt; &amp; more"):
        assert text in svg


def test_it_is_self_contained_and_described_in_words() -> None:
    svg = draw(branching(), title="best")
    assert not re.search(r"href|src=|@import|<script|<image", svg)
    assert set(re.findall(r"https?://[^\s\"]+", svg)) == {"http://www.w3.org/2000/svg"}
    root = ET.fromstring(svg)
    title, description = root.findtext(f"{SVG}title"), root.findtext(f"{SVG}desc")
    ids = {element.get("id") for element in root.iter() if element.get("id")}
    assert root.get("role") == "img"
    assert set(str(root.get("aria-labelledby")).split()) <= ids
    assert title == "best"
    costs = analyse(branching())
    assert f"{costs.params:,} parameters" in str(description)
    assert "head.linear" in str(description)


def test_a_skip_keeps_out_of_the_boxes_it_passes() -> None:
    """An edge over three rows runs in a lane; the lane's x lies in no box of those rows."""
    sizes = dict.fromkeys("abcde", (100.0, 30.0))
    edges = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("a", "e"), ("b", "e")]
    layout = lay_out(sizes, edges, gap=(20.0, 30.0))
    assert [layout.rows[name] for name in "abcde"] == [0, 1, 2, 3, 4]
    for lane in layout.routes["a", "e"]:
        assert all(abs(lane - layout.centres[name]) > 50 for name in "bcd")
    assert abs(layout.centres["b"] - layout.centres["c"]) < 1


@pytest.mark.parametrize(
    ("number", "text"), [(999, "999"), (1000, "1 k"), (1_234_567, "1.23 M"), (5 * 10**9, "5 G"), (0, "0")]
)
def test_brief_numbers(number: int, text: str) -> None:
    assert brief(number) == text


def test_a_large_graph_is_drawn_too() -> None:
    assert draw(random_architecture(Random(0), steps=300, side=32)).endswith("</svg>\n")
