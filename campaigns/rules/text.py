"""The size of a text, and personal texts from a template: alphabets, parts, and plain `{name}` placeholders.

Source: kavenegar-rest, "the structure of a short message": 70 and 67 characters a part for Persian, 153 for Latin in
several parts, 900 characters at most. For a single Latin part the documentation says 140 in one place and 160 in
another; 153 fits every reading, so 154 to 160 characters are budgeted as two parts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from kavenegar_campaigns.errors import BadInput

MAX_CHARACTERS: Final = 900
"""UTF-16 code units in a whole text; the gateway answers 413 to a longer one."""

PERSIAN_SINGLE_PART: Final = 70
PERSIAN_EACH_PART: Final = 67
LATIN_EACH_PART: Final = 153

_GSM_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION: Final = "\f^{}\\[~]|€"  # each takes two places, with its escape
_LATIN: Final = re.compile(f"[{re.escape(_GSM_BASIC + _GSM_EXTENSION)}]*")
_EXTENDED: Final = re.compile(f"[{re.escape(_GSM_EXTENSION)}]")

_NAME: Final = re.compile(r"[\w\u064b-\u0652\u0670\u200c ]{1,60}")  # letters of any script, vowel marks, ZWNJ, spaces
_BRACES: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")

# Control characters, lone surrogates, the byte order mark. ZWNJ and ZWJ stay: Persian is written with them.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")
_LINE_BREAKS: Final = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
_FORBIDDEN_IN_TEMPLATE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SPREADSHEET_ERRORS: Final = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"}
)


_LAST_LATIN: Final = "\u024f"


class Size(NamedTuple):
    """The size of a text: UTF-16 code units, billed parts, and whether it fits the Latin alphabet (GSM 03.38)."""

    units: int
    parts: int
    latin: bool


def non_latin_characters(text: str) -> str:
    """Return the few characters that keep a Latin text out of the Latin alphabet, such as ’; empty for other texts."""
    others = "".join(sorted({character for character in text if not _LATIN.fullmatch(character)}))
    return "" if any(character.isalpha() and character > _LAST_LATIN for character in others) else others


def measure_text(text: str) -> Size:
    """Return the size of `text`. The empty text has no parts."""
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if _LATIN.fullmatch(text):
        return Size(units, -(-(units + len(_EXTENDED.findall(text))) // LATIN_EACH_PART), True)
    return Size(units, 1 if units <= PERSIAN_SINGLE_PART else -(-units // PERSIAN_EACH_PART), False)


def count_parts(text: str) -> int:
    """Return the number of parts that the gateway bills for `text`."""
    return measure_text(text).parts


def measure_sendable(text: str, at_most: int = MAX_CHARACTERS) -> Size:
    """Return the size of a text to send. Raises: BadInput for an empty text, and for more than `at_most` code units."""
    if not text.strip():
        raise BadInput("the text is empty: there is nothing to send")
    size = measure_text(text)
    if size.units > at_most:
        raise BadInput(f"the text has {size.units} characters: {at_most} are allowed")
    return size


def clean_value(value: str) -> str:
    """Clean a value for use inside a text: NFC, trimmed, on one line, without control characters.

    Error values of a spreadsheet (#N/A and similar) become empty: a recipient must not read them.
    """
    value = unicodedata.normalize("NFC", value.strip())
    if not value.isprintable():
        value = unicodedata.normalize("NFC", _UNPRINTABLE.sub("", _LINE_BREAKS.sub(" ", value)).strip())
    return "" if value in _SPREADSHEET_ERRORS else value


_PERSIAN_LETTERS: Final = str.maketrans("يىك", "ییک")  # Arabic keyboards write these for the Persian letters


def fold_letters(text: str) -> str:
    """Fold spellings of one word into one: case, Arabic or Persian letters, ligatures."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_PERSIAN_LETTERS)


def storable(text: str) -> str:
    """Return a text that PostgreSQL can store: without NUL, and with a question mark for half of a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed text: its literal pieces and, between them, its placeholders.

    `pieces` holds str for literal text and int for a position in `placeholders`. There are no formats, attributes,
    indexes or expressions.
    """

    pieces: tuple[str | int, ...] = field(repr=False)
    placeholders: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Parse `text`, where `{name}` is a placeholder and `{{` and `}}` are literal braces.

        A line end of a web form (CR LF) becomes one character (LF); a byte order mark is removed.

        Raises: BadInput for an empty text, control characters, and braces that hold anything but a name.
        """
        if not text.strip():
            raise BadInput("the text is empty: there is nothing to send")
        if _FORBIDDEN_IN_TEMPLATE.search(text):
            raise BadInput("the text holds control characters, which no phone can show: remove them")
        text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        pieces: list[str | int] = []
        names: list[str] = []
        end = 0
        for match in _BRACES.finditer(text):
            pieces.append(text[end : match.start()])
            pieces.append(_piece(match, names))
            end = match.end()
        pieces.append(text[end:])
        return cls(_merge_literals(pieces), tuple(names))

    @property
    def personal(self) -> bool:
        """Return whether each recipient gets a text of their own."""
        return bool(self.placeholders)

    @property
    def literal(self) -> str:
        """Return the literal text that all renderings share; without placeholders, the text itself."""
        return "".join(piece for piece in self.pieces if isinstance(piece, str))

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text with `values` by name. Raises: BadInput that names the placeholder without a value."""
        return self.fill([values.get(name, "") for name in self.placeholders])

    def fill(self, values: Sequence[str]) -> str:
        """Return the text with `values` in the order of `placeholders`. Raises: BadInput, as `render` does."""
        cleaned = [clean_value(value) for value in values]
        if not all(cleaned):
            raise BadInput(f"there is no value for {{{self.placeholders[cleaned.index('')]}}}")
        return "".join([piece if isinstance(piece, str) else cleaned[piece] for piece in self.pieces])


def _piece(braces: re.Match[str], names: list[str]) -> str | int:
    """Return the piece for one pair of braces, and add a new name to `names`."""
    if braces[0] in {"{{", "}}"}:
        return braces[0][0]
    if braces[1] is None:
        raise BadInput(f"a {braces[0]} stands alone: a placeholder is {{name}}; a brace meant as such is written twice")
    name = unicodedata.normalize("NFKC", braces[1]).strip()
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{{{_excerpt(braces[1])}}} is no placeholder: between the braces stands the name of a column, letters, "
            "digits, underscores and spaces alone; a brace meant as such is written twice"
        )
    if name not in names:
        names.append(name)
    return names.index(name)


def _excerpt(inside: str) -> str:
    """Return the beginning of a wrong placeholder, enough to find it: it may be half a text."""
    shown = _UNPRINTABLE.sub("", inside)
    return shown if len(shown) <= 20 else shown[:20] + "…"


def _merge_literals(pieces: list[str | int]) -> tuple[str | int, ...]:
    """Merge neighbouring literals, and drop empty ones."""
    merged: list[str | int] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        elif piece != "":
            merged.append(piece)
    return tuple(merged)
