"""Constraint expressions on an architecture's measures, such as `1e4 <= params <= 2e6 and macs / params < 400`.

A small grammar turns them into a postfix program; they are never evaluated as Python. The program is flat, so neither
parsing nor evaluation recurses, whatever the text. Parts without measures are computed while parsing. Refused are a
division by the number zero and a comparison between numbers, which no architecture could change.
"""

import difflib
import functools
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from archsmith.errors import Fault, InvalidExpression

MEASURES = ("params", "macs", "receptive_field", "output_stride", "depth", "peak_memory_mb")
"""The names that an expression may use; `space.analysis.Analysis` defines them."""

MEASURED = ("latency_ms", "energy_j")
"""The names that a job's constraints may use besides: of one forward pass, measured by a trial's worker."""

MEASURED_LATER = (*MEASURED, "score", "seconds", "accuracy")
"""Names that users may try, but that are not known before a network is built and run."""

MAX_LENGTH = 500
MAX_NESTING = 50

GRAMMAR = r"""
start: comparison ("and" comparison)*
comparison: sum (COMPARE sum)+
?sum: product
    | sum PLUS_MINUS product -> binary
?product: factor
    | product TIMES_DIVIDE factor -> binary
?factor: NUMBER -> number
    | NAME -> measure
    | "-" factor -> negative
    | "(" sum ")"
COMPARE: "<=" | ">=" | "==" | "!=" | "<" | ">"
PLUS_MINUS: "+" | "-"
TIMES_DIVIDE: "*" | "/"
NUMBER: /[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?/
NAME: /[A-Za-z_][A-Za-z0-9_.]*/
%ignore /[ \t\r\n]+/
"""

Code = tuple[float | str, ...]
"""Postfix: a number or a measure's name pushes its value, an operator takes two (`neg` one) and pushes one."""

_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One `left op right`; a chain `a <= b < c` is two of them."""

    left: Code
    op: str
    right: Code


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraint:
    """One constraint expression. An architecture keeps it if all its comparisons hold."""

    text: str
    comparisons: tuple[Comparison, ...]

    @classmethod
    def parse(cls, text: object, *, measured: bool = False) -> "Constraint":
        """Read one expression. measured: whether it may use the names of `MEASURED`, as a job's may and a space's not.

        Raises InvalidExpression (rule expression_invalid), which gives the position.
        """
        if not isinstance(text, str):
            raise _invalid(f"a constraint is text like 'params <= 2e6', got {type(text).__name__}")
        if len(text) > MAX_LENGTH:
            raise _invalid(f"a constraint has at most {MAX_LENGTH} characters, got {len(text)}")
        if text.count("(") > MAX_NESTING:
            raise _invalid(f"a constraint has at most {MAX_NESTING} opening parentheses, got {text.count('(')}")
        try:
            tree: Any = _parser(measured).parse(text)
        except UnexpectedInput as error:
            raise _invalid(_explain(error, text)) from None
        except VisitError as error:
            if isinstance(error.orig_exc, InvalidExpression):
                raise error.orig_exc from None
            raise
        return cls(text=text.strip(), comparisons=cast(tuple[Comparison, ...], tree))

    @property
    def measured(self) -> tuple[str, ...]:
        """Which of `MEASURED` it uses."""
        used = {step for comparison in self.comparisons for step in (*comparison.left, *comparison.right)}
        return tuple(name for name in MEASURED if name in used)

    def holds(self, measures: Mapping[str, float]) -> bool:
        """Whether every comparison is true; False if a divisor is zero. measures: by the names of `MEASURES`."""
        return self.violation(measures) == 0.0

    def violation(self, measures: Mapping[str, float]) -> float:
        """By how much it is violated: 0 if it holds, else the largest relative distance to a bound (inf: undefined)."""
        return max(_violation(comparison, measures) for comparison in self.comparisons)


def _violation(comparison: Comparison, measures: Mapping[str, float]) -> float:
    """|left - right| / max(|right|, 1) if the comparison is false, else 0."""
    try:
        left, right = _value(comparison.left, measures), _value(comparison.right, measures)
    except ZeroDivisionError:
        return math.inf
    if math.isnan(left) or math.isnan(right):
        return math.inf
    if _COMPARE[comparison.op](left, right):
        return 0.0
    distance = abs(left - right) / max(abs(right), 1.0)
    # a strict bound that is met exactly is violated too, at distance 0
    return max(distance, 1e-12) if math.isfinite(distance) else math.inf


def _value(code: Code, measures: Mapping[str, float]) -> float:
    """Run a postfix program. Raises ZeroDivisionError."""
    stack: list[float] = []
    for step in code:
        if isinstance(step, float):
            stack.append(step)
        elif step == "neg":
            stack.append(-stack.pop())
        elif step in _ARITHMETIC:
            right, left = stack.pop(), stack.pop()
            stack.append(_ARITHMETIC[step](left, right))
        else:
            stack.append(float(measures[step]))
    return stack.pop()


@v_args(inline=True)
class _Assemble(Transformer[Token, Any]):
    """Runs inside the parser at each reduction, so that no tree is built and nothing recurses.

    One method for each rule or alias of `GRAMMAR`. names: of the measures that may be used.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self._names = names

    def number(self, token: Token) -> Code:
        value = float(token)
        if not math.isfinite(value):
            raise _invalid(f"{str(token)[:40]!r} is too large for a number")
        return (value,)

    def measure(self, token: Token) -> Code:
        if token not in self._names:
            raise _invalid(_unknown(str(token), _position(token)))
        return (str(token),)

    def negative(self, operand: Code) -> Code:
        return _folded((*operand, "neg"))

    def binary(self, left: Code, sign: Token, right: Code) -> Code:
        if sign == "/" and right == (0.0,):
            raise _invalid(f"the divisor after position {_position(sign)} is zero")
        return _folded((*left, *right, str(sign)))

    def comparison(self, *parts: Any) -> tuple[Comparison, ...]:
        sides, signs = parts[::2], parts[1::2]
        for left, sign, right in zip(sides, signs, sides[1:], strict=False):
            if _is_number(left) and _is_number(right):
                always = "true" if _COMPARE[sign](left[0], right[0]) else "false"
                detail = f"the comparison {sign!s} at position {_position(sign)} is between numbers, so always {always}"
                raise _invalid(f"{detail}; name one of {', '.join(MEASURES)}")
        return tuple(
            Comparison(left=left, op=str(op), right=right)
            for left, op, right in zip(sides, signs, sides[1:], strict=False)
        )

    def start(self, *comparisons: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
        return tuple(comparison for chain in comparisons for comparison in chain)


def _is_number(code: Code) -> bool:
    return len(code) == 1 and isinstance(code[0], float)


def _folded(code: Code) -> Code:
    """The program with its value in place of it, if it is one operator on numbers."""
    return (_value(code, {}),) if len(code) <= 3 and all(isinstance(step, float) for step in code[:-1]) else code


def _position(token: Token) -> int:
    """The position of a token as users count, from 1."""
    return (token.start_pos or 0) + 1


def _unknown(name: str, position: int) -> str:
    if name in MEASURED_LATER:
        known_late = f"{name} (position {position}) is known only after a network was built and run"
        where = " of a space; a job's objective.constraints may use it" if name in MEASURED else ""
        return f"{known_late}, and cannot be a constraint{where}; measures are {', '.join(MEASURES)}"
    close = difflib.get_close_matches(name[:100], MEASURES, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"measures are {', '.join(MEASURES)}"
    return f"there is no measure {name[:40]!r} (position {position}); {hint}"


@functools.cache
def _parser(measured: bool) -> Lark:
    return Lark(GRAMMAR, parser="lalr", transformer=_Assemble((*MEASURES, *MEASURED) if measured else MEASURES))


def _invalid(detail: str) -> InvalidExpression:
    return InvalidExpression(Fault(pointer="", rule="expression_invalid", detail=detail, allowed=list(MEASURES)))


def _explain(error: UnexpectedInput, text: str) -> str:
    """A parser's error in plain words."""
    position = cast(int, error.pos_in_stream)
    if isinstance(error, UnexpectedCharacters):
        return f"character {text[position]!a} at position {position + 1} has no meaning in a constraint"
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        return f"{str(error.token)[:40]!a} is not expected at position {position + 1}"
    return "the constraint ends too early; it needs a comparison such as 'params <= 2e6'"
