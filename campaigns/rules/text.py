"""What a text costs and how a personal one is made: alphabets, parts, and plain `{name}` placeholders.

Source: kavenegar-rest, "the structure of a short message": 70 and 67 characters a part for Persian, 153 for Latin in
several parts, 900 characters at most. A single Latin part holds 140 or 160 depending on where one reads; 153 is what
all readings agree on, so 154 to 160 characters are budgeted as two parts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from campaigns.errors import BadInput

MAX_CHARACTERS: Final = 900
"""UTF-16 code units in a whole text; the gateway answers 413 beyond."""

PERSIAN_SINGLE_PART: Final = 70
PERSIAN_EACH_PART: Final = 67
LATIN_EACH_PART: Final = 153

_GSM_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION: Final = "\f^{}\\[~]|€"  # an escape goes before each: two places
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
    """How big a text is: UTF-16 code units, billed parts, and whether it fits the Latin alphabet (GSM 03.38)."""

    units: int
    parts: int
    latin: bool


def non_latin_characters(text: str) -> str:
    """The few characters that alone keep a Latin text out of the Latin alphabet, such as ’; empty for other texts."""
    others = "".join(sorted({character for character in text if not _LATIN.fullmatch(character)}))
    return "" if any(character.isalpha() and character > _LAST_LATIN for character in others) else others


def measure_text(text: str) -> Size:
    """The size of `text`. The empty text has no parts."""
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if _LATIN.fullmatch(text):
        return Size(units, -(-(units + len(_EXTENDED.findall(text))) // LATIN_EACH_PART), True)
    return Size(units, 1 if units <= PERSIAN_SINGLE_PART else -(-units // PERSIAN_EACH_PART), False)


def count_parts(text: str) -> int:
    """The parts the gateway will bill for `text`."""
    return measure_text(text).parts


def measure_sendable(text: str, at_most: int = MAX_CHARACTERS) -> Size:
    """Measure a text that is to be sent. Raises: BadInput for an empty one and one over `at_most` code units."""
    if not text.strip():
        raise BadInput("the text is empty: there is nothing to send")
    size = measure_text(text)
    if size.units > at_most:
        raise BadInput(f"the text has {size.units} characters: {at_most} are allowed")
    return size


def clean_value(value: str) -> str:
    """A value as it may stand inside a text: NFC, trimmed, on one line, without control characters.

    Error values of a spreadsheet (#N/A and the like) come out empty: nobody wants to read them on a phone.
    """
    value = unicodedata.normalize("NFC", value.strip())
    if not value.isprintable():
        value = unicodedata.normalize("NFC", _UNPRINTABLE.sub("", _LINE_BREAKS.sub(" ", value)).strip())
    return "" if value in _SPREADSHEET_ERRORS else value


_PERSIAN_LETTERS: Final = str.maketrans("يىك", "ییک")  # Arabic keyboards write these for the Persian letters


def fold_letters(text: str) -> str:
    """A text without what people vary when they write the same word: case, Arabic or Persian letters, ligatures."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_PERSIAN_LETTERS)


def storable(text: str) -> str:
    """A text as PostgreSQL can keep it: without NUL, and with a question mark for half of a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class Template:
    """A text read once: its literal pieces and, between them, which placeholder stands there.

    `pieces` holds str for literal text and int for a position in `placeholders`. There is nothing else in it: no
    formats, attributes, indexes or expressions.
    """

    pieces: tuple[str | int, ...] = field(repr=False)
    placeholders: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read `text`, where `{name}` is a placeholder and `{{` and `}}` are braces meant as such.

        A line end sent by a web form (CR LF) becomes the one character people meant; a byte order mark goes.

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
        """Whether each recipient gets a text of their own."""
        return bool(self.placeholders)

    @property
    def literal(self) -> str:
        """What every rendering has in common; of a text without placeholders, the text itself."""
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
    """What stands for one pair of braces; a name not met before is added to `names`."""
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
    """Of a wrong placeholder as much as finds it again: it may be half a text."""
    shown = _UNPRINTABLE.sub("", inside)
    return shown if len(shown) <= 20 else shown[:20] + "…"


def _merge_literals(pieces: list[str | int]) -> tuple[str | int, ...]:
    """Neighbouring literals as one, without empty ones."""
    merged: list[str | int] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        elif piece != "":
            merged.append(piece)
    return tuple(merged)
