"""Numbers as they were before PostgreSQL's jsonb had them.

jsonb keeps numbers as decimals and writes ``1e300`` as a whole number of 301 digits. The strict door lets no
integer beyond 2^53-1 in (lib/strict_json.py), so an integer of that size can only have been a double.
"""

from __future__ import annotations

from hitl_site.lib.strict_json import MAX_SAFE_INTEGER, JsonValue


def from_jsonb(value: JsonValue) -> JsonValue:
    """Return the value that was stored: equal, and with the same canonical bytes (RFC 8785)."""
    if isinstance(value, dict):
        return {name: from_jsonb(member) for name, member in value.items()}
    if isinstance(value, list):
        return [from_jsonb(member) for member in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_SAFE_INTEGER:
        return float(value)
    return value
