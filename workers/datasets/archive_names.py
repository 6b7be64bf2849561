"""Names of the members of a zip archive: separators, and the code page of names that are not marked as UTF-8.

The format (PKWARE APPNOTE 6.3.10, 4.4.4 and D) knows UTF-8, by flag bit 11 or by the extra field 0x7075, and else
cp437. Programs write the code page of their machine instead and do not say which, so it can only be guessed.
"""

import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence

UTF8_FLAG = 0x800
UNICODE_PATH = 0x7075
_FIELD = struct.Struct("<HH")
_LATIN = frozenset("ßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœ")
_SHOWN = 3


def read_names(infos: Sequence[zipfile.ZipInfo]) -> str:
    """Sets the `filename` of each member, with / between folders; returns a warning where a code page was guessed."""
    unmarked = [info for info in infos if not info.flag_bits & UTF8_FLAG and not info.orig_filename.isascii()]
    marked = {id(info): name for info in unmarked if (name := _unicode_path(info))}
    unmarked = [info for info in unmarked if id(info) not in marked]
    raw = [info.orig_filename.encode("cp437", "replace") for info in unmarked]
    page = guess(raw)
    decoded = {id(info): name.decode(page) for info, name in zip(unmarked, raw, strict=True)} | marked
    for info in infos:
        info.filename = decoded.get(id(info), info.orig_filename).replace("\\", "/")
    if not unmarked or page == "utf-8":
        return ""
    examples = ", ".join(sorted({_foreign(info.filename) for info in unmarked})[:_SHOWN])
    return (
        f"{len(unmarked)} names in the archive are not marked as UTF-8 and were read as {page}, which is a guess: "
        f"{examples}; if that is wrong, pack the archive with UTF-8 names"
    )


def _foreign(name: str) -> str:
    return next((part for part in name.split("/") if not part.isascii()), name)


def _unicode_path(info: zipfile.ZipInfo) -> str:
    """The name in the extra field of Info-ZIP, "" without a valid one."""
    extra = info.extra
    while len(extra) >= _FIELD.size:
        tag, size = _FIELD.unpack_from(extra)
        body, extra = extra[_FIELD.size : _FIELD.size + size], extra[_FIELD.size + size :]
        if tag == UNICODE_PATH and len(body) > 5:
            crc = zlib.crc32(info.orig_filename.encode("cp437", "replace"))
            if int.from_bytes(body[1:5], "little") == crc:
                return body[5:].decode("utf-8", "replace")
    return ""


def guess(names: Sequence[bytes]) -> str:
    """The code page under which all names look most like words; cp437, which is the format's own, when none does."""
    together = b"/".join(names)
    best, most = "cp437", 0.0
    for page, look in _PAGES.items():
        try:
            text = unicodedata.normalize("NFC", together.decode(page))
        except UnicodeDecodeError:
            continue
        if page == "utf-8":
            return page
        points = [look(text, at) for at, letter in enumerate(text) if not letter.isascii()]
        score = sum(points) / max(1, len(points))
        if score > most:
            best, most = page, score
    return best


def _beside(text: str, at: int) -> str:
    return text[max(0, at - 1) : at] + text[at + 1 : at + 2]


def _accented(text: str, at: int) -> float:
    """Accented letters stand among plain ones, of the same case: "Müller", not "öL" or "îòð"."""
    letter, around = text[at], [c for c in _beside(text, at) if c.isalpha()]
    if letter.lower() not in _LATIN or not any(c.isascii() for c in around):
        return -1.0
    return 1.0 if letter.isupper() or all(c.islower() for c in around[-1:]) else -1.0


def _cyrillic(text: str, at: int) -> float:
    letter, around = text[at], [c for c in _beside(text, at) if c.isalpha()]
    if not ("а" <= letter.lower() <= "я" or letter in "ёЁ") or any(c.isascii() for c in around):
        return -1.0
    return 0.95 if letter.isupper() or not any(c.isupper() for c in around[1:]) else -1.0


def _chinese(text: str, at: int) -> float:
    """The 3,755 common characters are the first level of GB 2312: first byte 0xB0 to 0xD7, the second from 0xA1."""
    code = text[at].encode("gbk")
    common = len(code) == 2 and 0xB0 <= code[0] <= 0xD7 and code[1] >= 0xA1
    return 0.9 if common else -0.5 if len(code) == 2 and code[1] >= 0xA1 else -1.0


def _japanese(text: str, at: int) -> float:
    """Kana, and the common kanji, which are the first level of JIS X 0208: first byte 0x88 to 0x97."""
    code = text[at].encode("cp932")
    if "\u3041" <= text[at] <= "\u30fe" or text[at] in "々・":
        return 1.0
    return 0.9 if len(code) == 2 and 0x88 <= code[0] <= 0x97 else -1.0


_PAGES: Mapping[str, Callable[[str, int], float]] = {
    "utf-8": _accented,
    "gbk": _chinese,
    "cp932": _japanese,
    "cp866": _cyrillic,
    "cp1251": _cyrillic,
    "cp1252": _accented,
    "cp437": _accented,
}
"""What is tried, in this order, and how natural a letter of it looks where it stands, -1 to 1."""
