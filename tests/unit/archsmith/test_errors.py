"""JSON pointers, read back as RFC 6901 describes it."""

from hypothesis import given
from hypothesis import strategies as st

from archsmith.errors import pointer

KEYS = st.text(alphabet=st.one_of(st.sampled_from("~/01"), st.characters()), max_size=6)


def parts(text: str) -> list[str]:
    """RFC 6901, section 4: `~1` first, so that `~01` becomes `~1` and not `/`."""
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


@given(st.lists(st.one_of(KEYS, st.integers(min_value=0))))
def test_a_pointer_gives_back_its_parts(path: list[str | int]) -> None:
    written = pointer(*path)
    assert parts(written) == [str(part) for part in path]
    assert written.startswith("/") == bool(path)


def test_the_examples_of_the_rfc() -> None:
    assert [pointer("foo", 0), pointer(""), pointer("a/b"), pointer("m~n"), pointer("~1")] == [
        "/foo/0",
        "/",
        "/a~1b",
        "/m~0n",
        "/~01",
    ]
    assert pointer() == ""
