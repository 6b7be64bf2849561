"""The `compress` section of a job: what is refused, with its place, and what the defaults are."""

from typing import Any

import pytest

from archsmith.errors import InvalidInput
from search.compress import DEFAULT, STEPS, check_compress, complete, data_faults
from search.spec import CompressSpec, CompressStep, JobSpec
from tests import factories


def spec(*steps: str | tuple[str, dict[str, Any]]) -> CompressSpec:
    pairs = [(step, {}) if isinstance(step, str) else step for step in steps]
    return CompressSpec(steps=tuple(CompressStep(name=name, options=options) for name, options in pairs))


def test_the_defaults_and_all_sensible_orders_pass() -> None:
    check_compress(spec(*DEFAULT))
    check_compress(spec("prune_structured", "lottery", "quantise_int8", "cluster", "huffman"))
    check_compress(spec("quantise_int8"))
    for name, options in STEPS.items():
        assert complete(CompressStep(name=name)) == {key: option.default for key, option in options.items()}
    assert complete(CompressStep(name="cluster", options={"clusters": 32})) == {"clusters": 32, "epochs": 2}


@pytest.mark.parametrize(
    ("section", "pointer", "rule"),
    [
        (spec("prune"), "/steps/0", "choice_unknown"),
        (spec("cluster", ("cluster", {})), "/steps/1", "combination_unsupported"),
        (spec("huffman"), "/steps/0", "combination_unsupported"),
        (spec("cluster", "huffman", "quantise_int8"), "/steps/2", "combination_unsupported"),
        (spec("prune_magnitude", "lottery"), "/steps/1", "combination_unsupported"),
        (spec("cluster", "prune_magnitude"), "/steps/1", "combination_unsupported"),
        (spec("lottery", "prune_structured"), "/steps/1", "combination_unsupported"),
        (spec(("prune_structured", {"share": 0})), "/steps/0/share", "out_of_range"),
        (spec(("prune_structured", {"importance": "l2"})), "/steps/0/importance", "choice_unknown"),
        (spec(("prune_magnitude", {"sparsity": 1})), "/steps/0/sparsity", "out_of_range"),
        (spec(("cluster", {"clusters": 256})), "/steps/0/clusters", "out_of_range"),
        (spec(("cluster", {"clusters": 8.5})), "/steps/0/clusters", "wrong_type"),
        (spec(("huffman", {"bits": 4})), "/steps/0/bits", "unknown_field"),
    ],
)
def test_what_is_refused(section: CompressSpec, pointer: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_compress(section)
    fault = refused.value.faults[0]
    assert (fault.pointer, fault.rule) == (pointer, rule)
    assert fault.allowed is not None


def test_eight_bits_are_for_pictures_and_volumes() -> None:
    section = spec("cluster", "quantise_int8")
    assert data_faults(section, "image") == []
    [fault] = data_faults(section, "nodes")
    assert (fault.pointer, fault.rule) == ("/steps/1", "combination_unsupported")


def test_the_document_of_a_job_keeps_it() -> None:
    job = factories.job_spec(compress=spec("cluster", ("huffman", {})), init_from="a-job")
    assert JobSpec.from_json(job.to_json()) == job
    before = {name: value for name, value in job.to_json().items() if name not in ("compress", "init_from")}
    assert JobSpec.from_json(before).compress is None
