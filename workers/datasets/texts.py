"""Arrays of texts and of bytes as tidy texts: UTF-8, NFC, without surrounding spaces."""

import unicodedata

from workers.datasets.raw import Array, fault


def tidy(text: str) -> str:
    """Two spellings of one name that look alike become one: NFC (Unicode annex 15), no spaces or zeros around."""
    return unicodedata.normalize("NFC", text.strip().strip("\0").strip())


def as_texts(values: Array, *, file: str) -> tuple[str, ...]:
    """values: (N,) of NumPy's kinds "U" or "S". Raises `text_invalid` for bytes that are no UTF-8."""
    try:
        # a text in a file may hold numbers that are no characters; to ask for each one finds them
        return tuple(tidy(v.decode("utf-8") if isinstance(v, bytes) else str(v)) for v in values.tolist())
    except (UnicodeDecodeError, ValueError) as error:
        detail = f"{file} holds texts that are not UTF-8: {str(error)[:120]}; save them as texts, or as numbers"
        raise fault("text_invalid", detail, file=file) from error
