"""The fault of an option `problem` that the answers contradict."""

from collections.abc import Sequence

from archsmith.errors import Fault, InvalidDataset


def unsuitable(problem: str, why: str, *, others: Sequence[str] = (), cure: str = "") -> InvalidDataset:
    """At "/problem", since the option or the data must change. others: problems that the answers would suit."""
    if not cure and others:
        cure = f"leave --problem out, or give --problem {' or '.join(others)}"
    detail = f"asked for {problem}, but {why}" + (f"; {cure}" if cure else "")
    return InvalidDataset(
        Fault(pointer="/problem", rule="problem_unsuitable", detail=detail, allowed=list(others) or None)
    )
