"""How much a test tries: a share of it in `make test`, the whole in `make test-slow`.

Tests of this kind are those of Hypothesis, and what bears the mark `sweep`. The profile is Hypothesis's own
(`--hypothesis-profile thorough`): its number of examples is the share in percent.
"""

from hypothesis import settings

QUICK_PERCENT = 20
"""Whole, these tests are two thirds of the seconds of `tests/unit/space`."""


def share(whole: int, *, least: int = 1) -> int:
    """How many of `whole` this run tries."""
    return min(whole, max(least, whole * settings.default.max_examples // 100))
