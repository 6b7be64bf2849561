"""The user's own architectures: what is completed, and what is said of wrong ones."""

from typing import Any

import pytest

from archsmith.errors import InvalidInput
from search.proposing.enqueue import check, resolve
from space.constraint import Constraint
from space.space import Space

DOCUMENT = {
    "schema": 1,
    "stages": [{"operation": ["conv"], "kernel": [1, 3, 5], "width": [4, 8], "activation": ["relu", "silu"]}],
}
SPACE = Space.parse(DOCUMENT, input_shape=(1, 8, 8), classes=3)
BASELINE = SPACE.baseline()
KERNEL = next(name for name in BASELINE if name.endswith("kernel"))


def test_what_is_not_said_is_as_in_the_baseline() -> None:
    assert resolve(SPACE, {}) == BASELINE
    assert resolve(SPACE, {KERNEL: 5}) == {**BASELINE, KERNEL: 5}
    assert resolve(SPACE, resolve(SPACE, {KERNEL: 1})) == {**BASELINE, KERNEL: 1}


def test_a_number_may_be_written_either_way_and_comes_out_as_the_option_is() -> None:
    answer = resolve(SPACE, {KERNEL: 5.0})[KERNEL]
    assert (type(answer), answer) == (int, 5)


def test_a_question_with_one_answer_may_be_answered_with_it() -> None:
    asker = SPACE.program.walk(lambda decision: decision.options[0])
    fixed = next(name for name, answer in asker.answers.items() if answer == "conv")
    assert resolve(SPACE, {fixed: "conv"}) == BASELINE
    assert fault({fixed: "pool"}) == (f"/{fixed}", "choice_unknown", ["conv"])


def fault(answers: dict[str, Any]) -> tuple[str, str, Any]:
    with pytest.raises(InvalidInput) as caught:
        resolve(SPACE, answers)
    [found] = caught.value.faults
    return found.pointer, found.rule, found.allowed


def test_wrong_answers_and_wrong_questions_are_pointed_at() -> None:
    assert fault({KERNEL: 7}) == (f"/{KERNEL}", "choice_unknown", [1, 3, 5])
    assert fault({KERNEL: True}) == (f"/{KERNEL}", "choice_unknown", [1, 3, 5])
    assert fault({"no/such": 1}) == ("/no~1such", "unknown_field", list(BASELINE))
    with pytest.raises(InvalidInput) as caught:
        resolve(SPACE, {KERNEL: 7, "other": 1})
    assert len(caught.value.faults) == 2


def test_a_graph_is_distinguished_from_choices() -> None:
    with pytest.raises(InvalidInput, match="send its decisions, which are under `choices`"):
        resolve(SPACE, SPACE.sample(lambda decision: decision.options[0]).to_json())


def test_an_architecture_that_violates_a_constraint_is_rejected() -> None:
    check(SPACE, [Constraint.parse("receptive_field <= 3")], {KERNEL: 3})
    with pytest.raises(InvalidInput, match="violates 'receptive_field <= 3'") as caught:
        check(SPACE, [Constraint.parse("receptive_field <= 3")], {KERNEL: 5})
    assert caught.value.faults[0].rule == "constraint_broken"
