"""Hidden characters are found, named and never lost."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_site.lib import visible_text
from hitl_site.lib.visible_text import MixedToken, Piece

HIDDEN = "".join(chr(low) + chr(high) for low, high in visible_text.HIDDEN_RANGES)
# Signs of Arabic, Syriac and Kaithi that are of category Cf and yet draw something.
VISIBLE_FORMAT = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}


def has_hidden(text: str) -> bool:
    return any(piece.hidden for piece in visible_text.segments(text))


def test_an_override_is_shown_by_its_name() -> None:
    assert visible_text.segments("pay \u202eadA") == (
        Piece("pay "),
        Piece("\u202e", hidden=True, label="U+202E RIGHT-TO-LEFT OVERRIDE"),
        Piece("adA"),
    )


def test_a_run_of_one_hidden_character_is_one_label() -> None:
    assert visible_text.segments("\u200b" * 3) == (
        Piece("\u200b" * 3, hidden=True, label="U+200B ZERO WIDTH SPACE ×3"),
    )


@pytest.mark.parametrize(
    ("character", "label"),
    [
        ("\x00", "U+0000 NULL"),
        ("\x1b", "U+001B ESCAPE"),
        ("\r", "U+000D CARRIAGE RETURN"),
        ("\x7f", "U+007F DELETE"),
        ("\x85", "U+0085 C1 CONTROL"),
        ("\u00a0", "U+00A0 NO-BREAK SPACE"),
        ("\u00ad", "U+00AD SOFT HYPHEN"),
        ("\u061c", "U+061C ARABIC LETTER MARK"),
        ("\u115f", "U+115F HANGUL CHOSEONG FILLER"),
        ("\u200d", "U+200D ZERO WIDTH JOINER"),
        ("\u2028", "U+2028 LINE SEPARATOR"),
        ("\u2066", "U+2066 LEFT-TO-RIGHT ISOLATE"),
        ("\u3000", "U+3000 IDEOGRAPHIC SPACE"),
        ("\u3164", "U+3164 HANGUL FILLER"),
        ("\uffa0", "U+FFA0 HALFWIDTH HANGUL FILLER"),
        ("\ufe0f", "U+FE0F VARIATION SELECTOR-16"),
        ("\ufeff", "U+FEFF ZERO WIDTH NO-BREAK SPACE"),
        ("\uffff", "U+FFFF NONCHARACTER"),
        ("\ud800", "U+D800 LONE SURROGATE"),
        ("\U000e0041", "U+E0041 TAG LATIN CAPITAL LETTER A"),
        ("\U000e0fff", "U+E0FFF UNASSIGNED"),
    ],
)
def test_every_class_of_hidden_character_has_a_label(character: str, label: str) -> None:
    assert has_hidden(f"a{character}b")
    assert visible_text.segments(character) == (Piece(character, hidden=True, label=label),)


@pytest.mark.parametrize(
    "text",
    ["", "plain text", "two\nlines\tand a tab", "Grüße, 你好, привет", "e\u0301", "👍", "\ufffd", "\u0600١"],
)
def test_what_can_be_seen_is_left_alone(text: str) -> None:
    assert not has_hidden(text)
    assert visible_text.segments(text) == ((Piece(text),) if text else ())


def test_an_emoji_of_several_persons_still_holds_its_characters() -> None:
    family = "👩\u200d👧"
    assert "".join(piece.text for piece in visible_text.segments(family)) == family
    assert [piece.hidden for piece in visible_text.segments(family)] == [False, True, False]


def test_no_control_format_or_unusual_space_of_unicode_is_forgotten() -> None:
    forgotten = [
        f"U+{code:04X}"
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}
        and code not in VISIBLE_FORMAT
        and chr(code) not in "\n\t "
        and not has_hidden(chr(code))
    ]
    assert forgotten == []


def test_no_letter_digit_or_punctuation_is_called_hidden() -> None:
    # Fillers are letters to Unicode, and blank Braille a symbol; nothing else that draws is among the hidden.
    called_hidden = {
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code))[0] in "LNPS" and has_hidden(chr(code))
    }
    assert called_hidden == {"\u115f", "\u1160", "\u3164", "\uffa0", "\u2800", "\ufffc"}


@given(st.text(st.one_of(st.sampled_from(HIDDEN), st.characters()), max_size=40))
def test_pieces_joined_are_the_text_and_hidden_ones_have_labels(text: str) -> None:
    pieces = visible_text.segments(text)
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)
    assert all(piece.hidden == bool(piece.label) == has_hidden(piece.text) for piece in pieces)


@given(st.text(alphabet="ab \n", max_size=10), st.sampled_from(HIDDEN), st.integers(0, 10))
def test_a_text_with_something_hidden_never_reads_like_the_clean_one(
    clean: str, extra: str, place: int
) -> None:
    def shown(text: str) -> str:
        return "".join(
            f"⟦{piece.label}⟧" if piece.hidden else piece.text for piece in visible_text.segments(text)
        )

    assert shown(clean[:place] + extra + clean[place:]) != shown(clean)


@pytest.mark.parametrize(
    ("token", "scripts"),
    [
        ("paypal", ()),
        ("p\u0430ypal", ("CYRILLIC", "LATIN")),
        ("\u0440\u0430\u0443\u0440\u0430l.com", ("CYRILLIC", "LATIN")),
        ("\u0430\u0440\u0440\u04cf\u0435", ()),
        ("\u03a9mega", ("GREEK", "LATIN")),
        ("привет", ()),
        ("Grüße", ()),
        ("日本語text", ()),
        ("12-34_5", ()),
        ("\uff41bc", ()),
    ],
)
def test_words_of_mixed_look_alike_scripts_are_told(token: str, scripts: tuple[str, ...]) -> None:
    assert visible_text.mixed_script(token) == scripts


def test_mixed_words_are_found_in_a_text_once_each() -> None:
    text = "pay p\u0430ypal.com and p\u0430ypal.com, not paypal.com or привет"
    assert visible_text.mixed_tokens(text) == (MixedToken("p\u0430ypal.com", ("CYRILLIC", "LATIN")),)
    assert visible_text.mixed_tokens("plain ascii") == ()


def test_a_decomposed_text_is_noticed() -> None:
    assert visible_text.is_nfc("\u00e9")
    assert not visible_text.is_nfc("e\u0301")
