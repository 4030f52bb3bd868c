"""What a browser posts for a drawn form that nobody touched, by the rules of the HTML standard."""

from __future__ import annotations

from reviews.schema_form.rows import FormView, Row


def submit(form: FormView) -> dict[str, list[str]]:
    """Return the posted fields: line ends become CRLF, unchecked boxes and empty radios post nothing."""
    posted: dict[str, list[str]] = {}
    if form.base_text:
        posted[form.base_name] = [form.base_text]
    for row in (*form.rows, *form.unknown):
        fields = _control(row)
        if fields is not None:
            posted[row.name] = fields
        chosen = [choice.value for choice in row.presences if choice.selected]
        if row.presences:
            # A select without a chosen option posts its first one.
            posted[row.presence_name] = chosen or [row.presences[0].value]
    return posted


def _control(row: Row) -> list[str] | None:
    chosen = [choice.value for choice in row.choices if choice.selected]
    if row.kind in {"group", "static"}:
        return None
    if row.kind in {"radio", "boolean"}:
        return chosen or None
    if row.kind == "select":
        return chosen or [row.choices[0].value]
    if row.kind == "checkboxes":
        return ["", *chosen]
    if row.kind in {"textarea", "lines", "json"}:
        # The template writes one line feed before the text; the browser drops exactly that one.
        return [_line_feeds(row.value_text).replace("\n", "\r\n")]
    return [_line_feeds(row.value_text).replace("\n", "").replace("\x00", "\ufffd")]


def _line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
