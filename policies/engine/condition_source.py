"""Reading the text of a CEL condition: places, names, and how much work it can ask for.

The library compiles and runs CEL but neither limits the cost of a program nor says where an unknown name
stands. A scan of the tokens answers both. It does not parse: what it cannot make sense of, the
compiler refuses afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_LENGTH = 2_000
MAX_NESTING = 32
MAX_LOOPS = 8
MAX_LOOP_NESTING = 2
# The library compiles a pattern each time it is used, which takes as long as this many steps of a loop.
PATTERN_STEPS = 50

# Looking through a long context for one value takes as long as this many steps of a loop.
PROVENANCE_STEPS = 250

# Where a value comes from; each takes the one value (policies.engine.provenance).
PROVENANCE = frozenset({"said_by_user", "seen_in_tools", "unseen"})

# `map` is left out: chained with `+` or list literals it doubles a list at every step, and every condition
# that yields a bool can be written with these four.
LOOPS = frozenset({"all", "exists", "exists_one", "filter"})

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*)
    | (?P<string>(?:[bB][rR]?|[rR][bB]?)?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''
        |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    | (?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<mark>&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]{}])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING = {"(": ")", "[": "]", "{": "}"}
_RESERVED = frozenset({"true", "false", "null", "in"})


class InvalidCondition(ValueError):
    """The text is no condition that the gate would run; says where and why."""

    def __init__(self, message: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Token:
    """One token and its offset in the text."""

    kind: str
    text: str
    offset: int


@dataclass(frozen=True)
class Profile:
    """What a scan knows of a condition: the names it binds, and what bounds its work.

    `loop_nesting` counts a membership test inside a loop as one more loop, since it walks a list too.
    `widest` is the longest list that the text itself spells out.
    """

    tokens: tuple[Token, ...]
    bound: frozenset[str]
    loop_nesting: int
    additions: int
    widest: int
    patterns_in_loops: bool
    provenance_in_loops: bool

    def steps(self, longest: int) -> int:
        """Return an upper bound of loop steps over a document whose longest list has `longest` members."""
        # Adding lists lengthens what is walked, by at most the number of additions plus one.
        walked = max(longest, self.widest, 1) * (self.additions + 1)
        weight = max(
            1,
            PATTERN_STEPS if self.patterns_in_loops else 1,
            PROVENANCE_STEPS if self.provenance_in_loops else 1,
        )
        return int(walked**self.loop_nesting) * weight


def fail_at(source: str, offset: int, message: str) -> InvalidCondition:
    """Return the error for a place in the text."""
    before = source[:offset]
    column = offset - (before.rfind("\n") + 1) + 1
    return InvalidCondition(message, line=before.count("\n") + 1, column=column)


def profile(source: str, *, variables: Mapping[str, frozenset[str] | None]) -> Profile:
    """Return what bounds the condition, or raise `InvalidCondition` at the offending place.

    `variables` names every variable and, where its fields are fixed, those.
    """
    if not source.strip():
        raise InvalidCondition("the condition is empty")
    if len(source) > MAX_LENGTH:
        raise fail_at(source, MAX_LENGTH, f"a condition has at most {MAX_LENGTH} characters")
    tokens = tuple(
        Token(kind=match.lastgroup or "other", text=match.group(), offset=match.start())
        for match in _TOKEN.finditer(source)
        if match.lastgroup != "space"
    )
    scan = _Scan(source, tokens)
    scan.run()
    _check_fields(source, tokens, variables, scan.bound)
    return Profile(
        tokens=tokens,
        bound=frozenset(scan.bound),
        loop_nesting=scan.deepest_loop,
        additions=sum(token.text == "+" for token in tokens),
        widest=1 + sum(token.text == "," for token in tokens),
        patterns_in_loops=scan.patterns_in_loops,
        provenance_in_loops=scan.provenance_in_loops,
    )


class _Scan:
    """One walk over the tokens with a stack of what is open."""

    def __init__(self, source: str, tokens: tuple[Token, ...]) -> None:
        self.source = source
        self.tokens = tokens
        self.bound: set[str] = set()
        self.deepest_loop = 0
        self.loops = 0
        self.patterns_in_loops = False
        self.provenance_in_loops = False
        self._open: list[tuple[str, bool]] = []

    def run(self) -> None:
        for index, token in enumerate(self.tokens):
            if token.text in _OPENING and token.kind == "mark":
                self._enter(index, token)
            elif token.text in {")", "]", "}"} and token.kind == "mark":
                if self._open:
                    self._open.pop()
            elif token.text == "in" and token.kind == "name" and self._text(index + 1) != "[":
                inside = self._loops_open()
                self.deepest_loop = max(self.deepest_loop, inside + 1 if inside else 0)

    def _enter(self, index: int, token: Token) -> None:
        if len(self._open) >= MAX_NESTING:
            raise fail_at(self.source, token.offset, f"brackets nest at most {MAX_NESTING} deep")
        called = self._text(index - 1) if token.text == "(" and self._kind(index - 1) == "name" else ""
        method = self._text(index - 2) == "."
        is_loop = method and called in LOOPS
        if method and called in {"map", "existsOne"}:
            raise fail_at(
                self.source,
                self.tokens[index - 1].offset,
                f"{called} is not available in a condition; use exists, exists_one, all or filter",
            )
        if is_loop:
            self.loops += 1
            if self._kind(index + 1) == "name":
                self.bound.add(self._text(index + 1))
        if called == "matches":
            self._check_pattern(index)
            self.patterns_in_loops = self.patterns_in_loops or self._loops_open() > 0
        if called in PROVENANCE:
            self._check_question(index)
            self.provenance_in_loops = self.provenance_in_loops or self._loops_open() > 0
        self._open.append((token.text, is_loop))
        depth = self._loops_open()
        self.deepest_loop = max(self.deepest_loop, depth)
        if depth > MAX_LOOP_NESTING or self.loops > MAX_LOOPS:
            raise fail_at(
                self.source,
                token.offset,
                f"a condition has at most {MAX_LOOPS} loops (all, exists, exists_one, filter), "
                f"nested at most {MAX_LOOP_NESTING} deep",
            )

    def _check_pattern(self, index: int) -> None:
        # A pattern that came from the arguments would let an agent choose what it is measured by.
        if self._kind(index + 1) != "string" or self._text(index + 2) != ")":
            offset = self.tokens[index].offset + 1
            raise fail_at(self.source, offset, "matches takes one pattern, written out as a text")

    def _check_question(self, index: int) -> None:
        name = self.tokens[index - 1]
        depth, empty, several = 0, True, False
        for token in self.tokens[index:]:
            if token.kind == "mark" and token.text in _OPENING:
                depth += 1
            elif token.kind == "mark" and token.text in {")", "]", "}"}:
                depth -= 1
                if depth == 0:
                    break
            several = several or (depth == 1 and token.text == ",")
            empty = empty and (depth, token.text) == (1, "(")
        if empty or several or self._text(index - 2) == ".":
            raise fail_at(self.source, name.offset, f"{name.text} takes one value: {name.text}(args.x)")

    def _loops_open(self) -> int:
        return sum(is_loop for _, is_loop in self._open)

    def _text(self, index: int) -> str:
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def _kind(self, index: int) -> str:
        return self.tokens[index].kind if 0 <= index < len(self.tokens) else ""


def _check_fields(
    source: str,
    tokens: tuple[Token, ...],
    variables: Mapping[str, frozenset[str] | None],
    bound: set[str],
) -> None:
    for before, token, after, field in zip(
        (None, *tokens), tokens, (*tokens[1:], None), (*tokens[2:], None, None), strict=False
    ):
        if token.kind != "name" or token.text in _RESERVED or (before is not None and before.text == "."):
            continue
        if token.text in bound and token.text in variables:
            raise fail_at(source, token.offset, f"{token.text} is a variable; a loop needs another name")
        known = variables.get(token.text)
        if known is None or after is None or after.text != "." or field is None:
            continue
        if field.kind == "name" and field.text not in known:
            names = ", ".join(sorted(known)) or "no fields at all"
            raise fail_at(source, field.offset, f"{token.text} has no field {field.text}; it has {names}")


def offset_of_name(tokens: tuple[Token, ...], name: str) -> int:
    """Return where a variable or function of that name first stands; 0 when it cannot be told."""
    return next((token.offset for token in tokens if token.kind == "name" and token.text == name), 0)
