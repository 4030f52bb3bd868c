"""JSON Schema to form rows, and back to the exact arguments. Pure: no Django, no clock, no network.

`build` draws, `parse` reads what `build` drew, `validate` judges; `parse_json` reads the JSON tab.
"""

from .document import FieldError, JsonValue, Missing, Parsed, parse_json, pretty
from .inference import infer
from .reading import OPERATION_NAME, apply_operation, parse, typed_texts
from .rows import Beside, Choice, Control, FormView, Operation, Row, build
from .titles import check_title_template, render_title
from .validation import schema_problem, validate

__all__ = [
    "OPERATION_NAME",
    "Beside",
    "Choice",
    "Control",
    "FieldError",
    "FormView",
    "JsonValue",
    "Missing",
    "Operation",
    "Parsed",
    "Row",
    "apply_operation",
    "build",
    "check_title_template",
    "infer",
    "parse",
    "parse_json",
    "pretty",
    "render_title",
    "schema_problem",
    "typed_texts",
    "validate",
]
