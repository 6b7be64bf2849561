"""The asker: puts the questions of a walk to a controller and keeps the answers."""

from dataclasses import dataclass, field

from space.decision import Choices, Choose, Decision, Option


@dataclass(slots=True)
class DecisionRecorder:
    """Asks `choose` and keeps the answers.

    answers: every question that was reached, fixed ones included. choices: those with more than one option.
    """

    choose: Choose
    answers: dict[str, Option] = field(default_factory=dict)
    choices: Choices = field(default_factory=dict)

    def ask(self, name: str, options: tuple[Option, ...], *, ordered: bool, idle: bool = False) -> Option:  # noqa: ARG002
        """One of the options. idle: no later question or map size depends on the answer (for counting).

        Raises ValueError when `choose` returns something that is none of the options.
        """
        answer = options[0]
        if len(options) > 1:
            decision = Decision(name=name, options=options, ordered=ordered)
            chosen = self.choose(decision)
            found = [option for option in options if type(option) is type(chosen) and option == chosen]
            if not found:
                raise ValueError(f"{name} offers {', '.join(map(repr, options))}, but the answer was {chosen!r:.60}")
            answer = self.choices[name] = found[0]
        self.answers[name] = answer
        return answer
