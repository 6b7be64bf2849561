"""What the check says of inputs as people have them (tests/cases.py), read by the reader that an upload would use."""

from pathlib import Path

import pytest

from archsmith.formats import guess
from tests.cases import case
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.check import sentences
from workers.datasets.ingest import ingest


def added(name: str, tmp_path: Path) -> DatasetInfo:
    path = case(name)
    return ingest(guess([path]) or "", [path], name="mine", store=DataStore(tmp_path))


@pytest.mark.parametrize(
    ("name", "rule", "says"),
    [
        ("dup_across.zip", "same_sample_two_classes", "in more than one class at once"),
        ("one_image_class.zip", "small_class", "one class has 5 samples or fewer"),
        ("one_image_class.zip", "class_missing", "the test split has no sample of"),
        ("r_scale_mismatch.npz", "scale_differs", "other units?"),
    ],
)
def test_cases_are_told_with_examples(tmp_path: Path, name: str, rule: str, says: str) -> None:
    info = added(name, tmp_path)
    assert info.check is not None
    found = [one for one in info.check["findings"] if one["rule"] == rule]
    assert any(says in one["detail"] for one in found)
    assert any(says in text for text in sentences(info))
    if rule != "scale_differs":
        assert found[0]["examples"]
    if rule == "same_sample_two_classes":
        assert " = " in found[0]["examples"][0]
        assert found[0]["examples"][0].count(".png") + found[0]["examples"][0].count(".jpg") == 2
