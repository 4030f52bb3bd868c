"""What a reader cannot see in a text: characters that are invisible, reorder, or pass for another.

Nothing is removed or changed. ``segments`` cuts a text so that a template can show each hidden character as a
label; the joined pieces are the text. The classes are those of threat R4 (invisible and bidirectional
controls, homoglyphs): Unicode's Cc, Cf, Cs, Zl, Zp and all white space but the common three, and what is
Default_Ignorable_Code_Point or draws nothing. A joiner inside an emoji is labelled too: better one label
too many.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Inclusive ranges of code points.
HIDDEN_RANGES: tuple[tuple[int, int], ...] = (
    (0x0000, 0x0008), (0x000B, 0x001F), (0x007F, 0x009F),  # C0 and C1 but tab and line feed
    (0x00A0, 0x00A0), (0x00AD, 0x00AD),  # no-break space, soft hyphen
    (0x034F, 0x034F), (0x061C, 0x061C),  # grapheme joiner, Arabic letter mark
    (0x115F, 0x1160), (0x1680, 0x1680),  # Hangul fillers, Ogham space
    (0x17B4, 0x17B5), (0x180B, 0x180F),  # Khmer inherent vowels, Mongolian selectors
    (0x2000, 0x200F), (0x2028, 0x202F),  # spaces, zero width, marks, line and paragraph, overrides
    (0x205F, 0x206F), (0x2800, 0x2800),  # joiners, isolates, deprecated controls, blank Braille
    (0x3000, 0x3000), (0x3164, 0x3164),  # ideographic space, Hangul filler
    (0xD800, 0xDFFF),  # lone surrogates
    (0xFDD0, 0xFDEF), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),  # noncharacters, variation selectors, BOM
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFC),  # Hangul filler, specials (U+FFFD is visible)
    *((plane * 0x10000 + 0xFFFE, plane * 0x10000 + 0xFFFF) for plane in range(0x11)),  # noncharacters
    (0x13430, 0x1345F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A),  # hieroglyph, shorthand, musical controls
    (0xE0000, 0xE0FFF),  # tags and variation selectors supplement
)  # fmt: skip

_HIDDEN_CLASS = "[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in HIDDEN_RANGES) + "]"
_HIDDEN_RUN = re.compile(f"({_HIDDEN_CLASS})\\1*")
_TOKEN = re.compile(r"\w+(?:[.@-]\w+)*")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")
# Unicode gives controls no names, only aliases, which unicodedata does not tell.
_C0_NAMES = (
    "NULL", "START OF HEADING", "START OF TEXT", "END OF TEXT", "END OF TRANSMISSION", "ENQUIRY",
    "ACKNOWLEDGE", "ALERT", "BACKSPACE", "TAB", "LINE FEED", "LINE TABULATION", "FORM FEED",
    "CARRIAGE RETURN", "SHIFT OUT", "SHIFT IN", "DATA LINK ESCAPE", "DEVICE CONTROL ONE",
    "DEVICE CONTROL TWO", "DEVICE CONTROL THREE", "DEVICE CONTROL FOUR", "NEGATIVE ACKNOWLEDGE",
    "SYNCHRONOUS IDLE", "END OF TRANSMISSION BLOCK", "CANCEL", "END OF MEDIUM", "SUBSTITUTE", "ESCAPE",
    "FILE SEPARATOR", "GROUP SEPARATOR", "RECORD SEPARATOR", "UNIT SEPARATOR",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of plain text, or one hidden character (repeated, perhaps) with a label to show in its
    place."""

    text: str
    hidden: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class MixedToken:
    """A word whose letters come from several scripts that look alike."""

    token: str
    scripts: tuple[str, ...]


def segments(text: str) -> tuple[Piece, ...]:
    """Cut the text into plain and hidden pieces; joined, their texts are the text."""
    pieces: list[Piece] = []
    position = 0
    for match in _HIDDEN_RUN.finditer(text):
        if match.start() > position:
            pieces.append(Piece(text[position : match.start()]))
        count = match.end() - match.start()
        label = describe(match[1]) + (f" ×{count}" if count > 1 else "")
        pieces.append(Piece(match[0], hidden=True, label=label))
        position = match.end()
    if position < len(text):
        pieces.append(Piece(text[position:]))
    return tuple(pieces)


def describe(character: str) -> str:
    """Return the label of one character: ``U+202E RIGHT-TO-LEFT OVERRIDE``."""
    code = ord(character)
    return f"U+{code:04X} {_name(code)}"


def mixed_script(token: str) -> tuple[str, ...]:
    """Return the scripts of a word when it mixes look-alike scripts, else (). A reason to warn, not to
    block."""
    scripts = {script for letter in token if (script := _script(letter))}
    return tuple(sorted(scripts)) if len(scripts) > 1 else ()


def mixed_tokens(text: str) -> tuple[MixedToken, ...]:
    """Return the words of the text that mix look-alike scripts, each once, in order."""
    if text.isascii():
        return ()
    words = dict.fromkeys(_TOKEN.findall(text))
    return tuple(MixedToken(word, scripts) for word in words if (scripts := mixed_script(word)))


def is_nfc(text: str) -> bool:
    """Say whether the text is in normal form C. Two texts that look the same may differ when one is not."""
    return unicodedata.is_normalized("NFC", text)


def _name(code: int) -> str:
    if code < len(_C0_NAMES):
        return _C0_NAMES[code]
    if code == 0x7F:
        return "DELETE"
    if 0x80 <= code <= 0x9F:
        return "C1 CONTROL"
    if 0xD800 <= code <= 0xDFFF:
        return "LONE SURROGATE"
    if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return "NONCHARACTER"
    return unicodedata.name(chr(code), "UNASSIGNED")


def _script(letter: str) -> str:
    """Return the script of a letter, as the first word of its name tells; "" for digits, marks and others."""
    if letter.isascii():
        return "LATIN" if letter.isalpha() else ""
    name = unicodedata.name(letter, "").removeprefix("FULLWIDTH ")
    script = name.partition(" ")[0]
    return script if script in _SCRIPTS else ""
