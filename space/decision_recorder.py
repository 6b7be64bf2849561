"""Asks a controller for the decisions of one path and records the answers."""

from dataclasses import dataclass, field

from space.decision import Choices, Choose, Decision, Option


@dataclass(slots=True)
class DecisionRecorder:
    """Asks `choose` and records the answers.

    answers: of every decision that was reached, fixed ones too. choices: of those with more than one option.
    """

    choose: Choose
    answers: dict[str, Option] = field(default_factory=dict)
    choices: Choices = field(default_factory=dict)

    def ask(self, name: str, options: tuple[Option, ...], *, ordered: bool, idle: bool = False) -> Option:  # noqa: ARG002
        """The answer, one of `options`; a single option is not asked for.

        idle: whether no later decision and no size of a map depends on the answer; `space/size.py` counts by that.
        Raises ValueError if `choose` returns something else.
        """
        answer = options[0]
        if len(options) > 1:
            decision = Decision(name=name, options=options, ordered=ordered)
            chosen = self.choose(decision)
            # by type as well: True and 1.0 are equal to 1
            found = [option for option in options if type(option) is type(chosen) and option == chosen]
            if not found:
                raise ValueError(f"{name} offers {', '.join(map(repr, options))}, but the answer was {chosen!r:.60}")
            answer = self.choices[name] = found[0]
        self.answers[name] = answer
        return answer
