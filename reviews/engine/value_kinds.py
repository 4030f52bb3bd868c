"""Which values of a proposal name something: a person, an account, an amount. Pure.

Such a value must come from somewhere; prose, choices and flags are the agent's to make.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NAMING: Final = frozenset(
    {
        "id", "ids", "iban", "bic", "account", "accounts", "order", "invoice", "ticket", "ref", "reference",
        "customer", "user", "username", "client", "person", "employee", "member", "owner", "sku", "uuid",
        "email", "mail", "to", "cc", "bcc", "recipient", "recipients", "payee", "beneficiary", "phone",
        "address", "url", "uri", "link", "domain", "host", "path", "repo", "branch", "card", "wallet",
        "channel", "destination", "target", "number",
    }
)  # fmt: skip
_COUNTING: Final = frozenset(
    {
        "amount", "total", "price", "sum", "value", "cost", "fee", "limit", "credit", "balance", "quantity",
        "qty", "refund", "payment", "rate", "percent", "discount",
    }
)  # fmt: skip
# An address, or a code: no white space, and a digit in it.
_CODE: Final = re.compile(r"\S*[0-9]\S*|\S+@\S+|\S+://\S+")
_LONGEST_CODE: Final = 120
MOST_LEAVES: Final = 300

Leaf = str | int | float | bool | None


def leaves(document: object, pointer: str = "") -> Iterator[tuple[str, Leaf]]:
    """Yield the single values of a document with their places (RFC 6901), the first ``MOST_LEAVES``."""
    waiting: list[tuple[str, object]] = [(pointer, document)]
    given = 0
    while waiting and given < MOST_LEAVES:
        place, value = waiting.pop()
        if isinstance(value, Mapping):
            inner = [(f"{place}/{_token(str(name))}", each) for name, each in value.items()]
            waiting += reversed(inner)
        elif isinstance(value, list | tuple):
            waiting += reversed([(f"{place}/{number}", each) for number, each in enumerate(value)])
        elif value is None or isinstance(value, str | int | float):
            given += 1
            yield place, value


def names_something(pointer: str, value: Leaf) -> bool:
    """Say whether a value is an identifier, a recipient or an amount: by its place's name, or its form."""
    if value is None or isinstance(value, bool) or value == "":
        return False
    named = {word.lower() for word in _WORDS.findall(_last_name(pointer))}
    if isinstance(value, str):
        short = len(value) <= _LONGEST_CODE and "\n" not in value
        return short and (not named.isdisjoint(_NAMING) or is_code(value))
    return not named.isdisjoint(_NAMING | _COUNTING)


def is_code(text: str) -> bool:
    """Say whether a text has the form of an address, or of the number of a thing."""
    return len(text) <= _LONGEST_CODE and _CODE.fullmatch(text) is not None


def is_prose(text: str) -> bool:
    """Say whether a text is one that somebody wrote, not a value that somebody named."""
    return "\n" in text or len(text) > 80 or text.count(" ") >= 6


def _last_name(pointer: str) -> str:
    """Return the name of a place; of an entry of a list, the name of the list."""
    names = [name for name in pointer.split("/") if not name.isdecimal()]
    return names[-1].replace("~1", "/").replace("~0", "~") if names else ""


def _token(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
