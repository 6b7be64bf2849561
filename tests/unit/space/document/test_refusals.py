"""What can be known to fail before anything is built is refused before: with the place, the rule and a sentence."""

from typing import Any

import pytest

from archsmith.errors import InvalidSpace
from space import presets
from space.space import Space

IMAGE = (3, 8, 8)


def document(*stages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"schema": 1, "stages": list(stages), **changes}


CASES: dict[str, tuple[dict[str, Any], tuple[int, ...], str, str, str]] = {
    "groups that do not divide the channels": (
        document({"operation": "grouped", "width": 10, "groups": 4}),
        IMAGE, "/stages/0/groups", "out_of_range", "groups 4 must divide the width 10",
    ),
    "groups of which some do not divide some width": (
        document({"operation": ["conv", "shuffle_unit"], "width": [12, 16], "groups": [2, 3]}),
        IMAGE, "/stages/0/groups", "out_of_range", "groups 3 must divide the width 16",
    ),
    "groups that do not divide a multiplied width": (
        document({"operation": "grouped", "width": 12, "groups": 3}, width_multiplier=[0.5, 1]),
        IMAGE, "/stages/0/groups", "out_of_range", "groups 3 must divide the width 8",
    ),
    "a kernel larger than its input": (
        document({"kernel": 9, "padding": "valid"}),
        IMAGE, "/stages/0/kernel", "impossible_shape", "1 convolution of 9×9 without padding, but at most 8×8",
    ),
    "kernels that shrink the map below the next": (
        document({"depth": 3, "kernel": [3, 5], "padding": "valid"}, {"kernel": 3, "padding": "valid"}),
        IMAGE, "/stages/1/kernel", "impossible_shape", "at most 2×2 pixels of the 8×8 input are left",
    ),
    "strides whose product is more than the map": (
        document(*[{"stride": 2}] * 5),
        IMAGE, "/stages/3/stride", "impossible_shape", "stride of 2, but at most 1×1 pixels of the 8×8 input",
    ),
    "poolings whose product is more than the map": (
        document(*[{"pool": ["max", "blur"]}] * 4),
        IMAGE, "/stages/3/pool", "impossible_shape", "2×2 pooling",
    ),
    "a map that outgrows the memory": (
        document(*[{"pool": "up_nearest"}] * 9),
        IMAGE, "/stages/8/pool", "impossible_shape", "may make a map of 4096×4096",
    ),
    "a kernel that is not square without padding": (
        document({"kernel_width": [0, 5], "padding": ["same", "valid"]}),
        IMAGE, "/stages/0/kernel_width", "combination_unsupported", "must be 0 where padding may be valid",
    ),
    "a dilated kernel without padding": (
        document({"operation": "separable", "dilation": 2, "padding": "valid"}),
        IMAGE, "/stages/0/dilation", "combination_unsupported", "must be 1 where padding may be valid",
    ),
    "an even width of a kernel": (
        document({"kernel_width": [0, 4]}),
        IMAGE, "/stages/0/kernel_width/1", "out_of_range", "0 or an odd whole number from 1 to 31, got 4",
    ),
    "an empty list of options": (
        document({"groups": []}),
        IMAGE, "/stages/0/groups", "choices_invalid", "empty list",
    ),
    "an option twice": (
        document({"operation": ["grouped", "grouped"]}),
        IMAGE, "/stages/0/operation", "choices_invalid", "twice",
    ),
    "an unknown field": (
        document({"kernel_wdith": 3}),
        IMAGE, "/stages/0/kernel_wdith", "unknown_field", "did you mean 'kernel_width'",
    ),
    "an unknown pooling": (
        document({"pool": "blurr"}),
        IMAGE, "/stages/0/pool", "choice_unknown", "did you mean 'blur'",
    ),
    "a space for volumes on an image": (
        document({}, data="volume"),
        IMAGE, "/data", "data_mismatch", "the space is for volume, the data for image",
    ),
    "the preset for volumes on an image": (
        presets.load("volume3d"),
        (1, 28, 28), "/data", "data_mismatch", "the space is for volume, the data for image",
    ),
    "a space for images on a volume": (
        document({}, data="image"),
        (3, 8, 8, 8), "/data", "data_mismatch", "the space is for image, the data for volume",
    ),
    "a space for graphs on an image": (
        document({"operation": "gcn"}, data="nodes"),
        IMAGE, "/data", "data_mismatch", "the space is for nodes, the data for image",
    ),
    "a block for graphs among blocks for images": (
        document({"operation": ["conv", "gcn"]}),
        IMAGE, "/stages/0/operation/1", "combination_unsupported", "gcn reads features of a graph's nodes",
    ),
    "a block for images in a space for graphs": (
        document({"operation": "grouped"}, data="nodes"),
        (7,), "/stages/0/operation/0", "combination_unsupported", "grouped reads maps of images, volumes and series",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_built_is_refused_with_its_place(case: str) -> None:
    value, shape, pointer, rule, says = CASES[case]
    with pytest.raises(InvalidSpace) as caught:
        Space.parse(value, input_shape=shape, classes=3)
    found = {fault.pointer: fault for fault in caught.value.faults}
    assert pointer in found
    assert found[pointer].rule == rule
    assert says in found[pointer].detail


@pytest.mark.parametrize("multiplier", [1, 2])
def test_possible_groups_are_listed(multiplier: int) -> None:
    value = document({"operation": "grouped", "width": [16, 24], "groups": 3}, width_multiplier=multiplier)
    with pytest.raises(InvalidSpace) as caught:
        Space.parse(value, input_shape=IMAGE, classes=3)
    [fault] = caught.value.faults
    assert fault.allowed == [groups for groups in (1, 2, 4, 8, 16) if (8 * multiplier) % groups == 0]
    for groups in fault.allowed:
        value["stages"][0]["groups"] = groups
        Space.parse(value, input_shape=IMAGE, classes=3)
