"""Jinja templates of the texts that people read: the report page and the model card."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


@cache
def environment(package: str) -> Environment:
    """The templates in the folder `templates` of `package`.

    Values are escaped in `*.html.jinja`. A field that a template names and the data lacks raises `UndefinedError`
    instead of leaving a gap.
    """
    found = Environment(
        loader=PackageLoader(package),
        autoescape=select_autoescape(("html.jinja",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= {
        "fixed": fixed,
        "number": number,
        "percent": percent,
        "thousands": thousands,
        "capitalized": capitalized,
    }
    return found


def fixed(value: float, places: int) -> str:
    return f"{value:.{places}f}"


def number(value: float) -> str:
    """In a unit that is not known: five digits, whatever the size."""
    return f"{value:.5g}"


def capitalized(text: str) -> str:
    """A sentence that begins with a capital letter; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def percent(share: float) -> str:
    """A share from 0 to 1 in whole percent."""
    return f"{share:.0%}"


def thousands(value: float) -> str:
    """A whole number with commas; a fraction is rounded."""
    return f"{value:,.0f}"
