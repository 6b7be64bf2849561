"""The user's own architectures, as answers to a space's decisions: read, completed and checked.

Decisions without an answer are answered as in the baseline. An answer must be to a decision that is asked on that walk,
and be one of its options.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from archsmith.errors import Fault, InvalidArchitecture, InvalidInput, pointer
from search.proposing.constraints import Constraint, most_violated
from search.proposing.walks import draw_walk, follow
from space.decision import Choices, Decision, Option
from space.space import Space, replay


def resolve(space: Space, answers: Mapping[str, Any]) -> Choices:
    """All answers of the walk. Raises InvalidInput with every fault; pointers are below the document."""
    if "nodes" in answers:
        detail = "this is an architecture's graph; send its decisions, which are under `choices` in the trial and in"
        detail += " report.json"
        raise InvalidInput(Fault(pointer="/nodes", rule="unknown_field", detail=detail))
    faults: list[Fault] = []
    usual = replay(space.baseline())

    def choose(decision: Decision) -> Option:
        if decision.name not in answers:
            return usual(decision)
        option = _offered(decision.options, answers[decision.name])
        if option is not None:
            return option
        shown = (
            f"{decision.name} must be one of {', '.join(map(repr, decision.options))},"
            f" got {answers[decision.name]!r:.60}"
        )
        faults.append(_fault(decision.name, "choice_unknown", shown, decision.options))
        return usual(decision)

    asker = space.program.walk(choose)
    for name, answer in answers.items():
        if name not in asker.answers:
            detail = f"{name[:80]!r} is not a decision of this walk; its decisions are {', '.join(asker.choices)}"
            faults.append(_fault(name, "unknown_field", detail, tuple(asker.choices)))
        elif name not in asker.choices and _offered((asker.answers[name],), answer) is None:
            detail = f"{name} can only be {asker.answers[name]!r} on this walk, got {answer!r:.60}"
            faults.append(_fault(name, "choice_unknown", detail, (asker.answers[name],)))
    if faults:
        raise InvalidInput(faults)
    return asker.choices


def check(space: Space, constraints: Sequence[Constraint], answers: Mapping[str, Any]) -> None:
    """Raises InvalidInput where `resolve` does, and where the architecture violates a constraint.

    constraints: the job's; those of the space are checked as well.
    """
    choices = resolve(space, answers)
    constraints = (*space.constraints, *constraints)
    try:
        space.sample(replay(choices))
    except InvalidArchitecture as error:
        raise InvalidInput(Fault(pointer="", rule="shape_impossible", detail=str(error))) from None
    draw = draw_walk(space, constraints, follow(replay(choices)))
    if draw is not None and draw.violation:
        worst, distance = most_violated(constraints, draw.measures)
        detail = f"this architecture violates {worst.text!r}: it misses the bound by {distance:.2%}"
        raise InvalidInput(Fault(pointer="", rule="constraint_broken", detail=detail, allowed=worst.text))


def _offered(options: Sequence[Option], answer: object) -> Option | None:
    """The option that is meant: JSON has one kind of number, but 1 is not true."""
    for option in options:
        if option == answer and isinstance(option, bool) == isinstance(answer, bool):
            return option
    return None


def _fault(name: str, rule: str, detail: str, allowed: Sequence[Option]) -> Fault:
    return Fault(pointer=pointer(name), rule=rule, detail=detail, allowed=list(allowed))
