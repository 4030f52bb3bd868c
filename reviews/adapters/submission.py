"""The body of ``POST /actions`` and one line of ``POST /actions/batch`` (api.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.fault_sentences import sentence
from policies.models import LABEL_PATTERN, LONGEST_LABEL

ARGUMENTS_LIMIT = 64 * 1024
CONTEXT_LIMIT = 192 * 1024
# No part of a body of so many bytes is over a limit. In canonical form a number has at most four times as
# many characters as it was written with (9e15), and nothing else grows.
_SURELY_SMALL = ARGUMENTS_LIMIT // 4
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = timedelta(days=30)

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]*$", max_length=120)]
Short = Annotated[str, StringConstraints(max_length=200)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Judge(Strict):
    """Another model's opinion of the proposal."""

    name: Annotated[str, StringConstraints(max_length=120)]
    score: Share
    rationale: Annotated[str, StringConstraints(max_length=20_000)] | None = None


Sha256 = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]


class Version(Strict):
    """What makes a version of an agent the one it is. The same label with other parts is another version."""

    label: Annotated[str, StringConstraints(max_length=LONGEST_LABEL)] = ""
    model: Annotated[str, StringConstraints(max_length=200)] = ""
    prompt_sha256: Sha256 = ""
    tools_sha256: Sha256 = ""


def _version(said: object) -> object:
    """A label alone is a version too."""
    if not isinstance(said, str):
        if not isinstance(said, dict | Version):
            raise PydanticCustomError("label_or_object", "This must be a text or a JSON object")
        return said
    if len(said) > LONGEST_LABEL:
        raise PydanticCustomError("string_too_long", "too long", {"max_length": LONGEST_LABEL})
    return {"label": said}


def _said(version: Version) -> str | dict[str, str]:
    """Return a version in the shortest form that says it: the same one has one digest."""
    alone = not (version.model or version.prompt_sha256 or version.tools_sha256)
    return version.label if alone else version.model_dump()


_HEX = {"type": "string", "pattern": "^([0-9a-f]{64})?$"}
_LABEL = {"type": "string", "maxLength": LONGEST_LABEL, "pattern": LABEL_PATTERN}
_VERSION: dict[str, Any] = {
    "default": "",
    "anyOf": [
        _LABEL,
        {
            "type": "object",
            "additionalProperties": False,
            "description": "The same label with another model, prompt or tools is another version.",
            "properties": {
                "label": _LABEL,
                "model": {"type": "string", "maxLength": 200},
                "prompt_sha256": _HEX,
                "tools_sha256": _HEX,
            },
        },
    ],
}
AgentVersion = Annotated[Version, BeforeValidator(_version), PlainSerializer(_said), WithJsonSchema(_VERSION)]
# What `_read` checks beyond the types, for the OpenAPI document.
_MODES: dict[str, Any] = {
    "if": {"properties": {"mode": {"const": "observed"}}, "required": ["mode"]},
    "then": {"properties": {"dry_run": {"const": False}}},
    "else": {"properties": {"outcome": {"type": "null"}}},
}


class SubmissionBody(Strict):
    """One action that an agent asks leave for, or reports."""

    model_config = ConfigDict(json_schema_extra=_MODES)

    action_type: Name
    arguments: dict[str, JsonValue]
    mode: Literal["gated", "observed"] = "gated"
    context: dict[str, JsonValue] | None = None
    confidence: Share | None = None
    judge: Judge | None = None
    samples: Annotated[list[JsonValue], Field(max_length=50)] | None = None
    reason: Annotated[str, StringConstraints(max_length=20_000)] = ""
    agent_version: AgentVersion = Version()
    conversation_id: Short = ""
    parent_action_id: Annotated[str, StringConstraints(max_length=40)] = ""
    environment: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)] = (
        "production"
    )
    subject: Short | None = None
    timeout: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,6}[smhd]$")] | None = None
    dry_run: bool = False
    outcome: dict[str, JsonValue] | None = None


class BatchLine(SubmissionBody):
    """One line of a batch: the same, with its idempotency key inside."""

    idempotency_key: Annotated[str, StringConstraints(min_length=1, max_length=255)]


B = TypeVar("B", bound=SubmissionBody)


@dataclass(frozen=True)
class Complaint:
    """One thing wrong with a body: where (RFC 6901), a code, plain words."""

    pointer: str
    code: str
    message: str


class InvalidSubmission(ValueError):
    """The body is JSON, but not a submission."""

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        super().__init__("; ".join(f"{c.pointer or '/'}: {c.message}" for c in complaints))
        self.complaints = tuple(complaints)


def read(value: object, *, size: int | None = None) -> SubmissionBody:
    """Return the submission in a parsed body. Raises ``InvalidSubmission`` with every complaint at once.

    ``size`` is given for what came through the door (``lib.strict_json``), in bytes: a small body need not be
    measured part by part.
    """
    return _read(SubmissionBody, value, size)


def read_line(value: object, *, size: int | None = None) -> BatchLine:
    """Return one line of a batch. Raises ``InvalidSubmission``. ``size`` as in ``read``."""
    return _read(BatchLine, value, size)


def filled(body: SubmissionBody) -> dict[str, Any]:
    """Return the submission with every field in its place, given or not, and without its idempotency key.

    Two bodies that mean the same are equal here, whichever way they came.
    """
    fields = dict(vars(body))
    fields.pop("idempotency_key", None)
    fields["agent_version"] = _said(body.agent_version)
    if body.judge is not None:
        fields["judge"] = dict(vars(body.judge))
    return fields


def canonical(body: SubmissionBody) -> bytes:
    """Return the canonical bytes of what is filled: the identity of a submission.

    That every number in it is finite was made sure when it was read: by the types, and by the door or where
    sizes are taken.
    """
    return canonicalize(filled(body), known_finite=True)


def patience(body: SubmissionBody) -> timedelta | None:
    """Return how long the agent is ready to wait, at most 30 days; None when it did not say."""
    if body.timeout is None:
        return None
    return min(timedelta(seconds=int(body.timeout[:-1]) * _UNITS[body.timeout[-1]]), _LONGEST)


def _read(form: type[B], value: object, size: int | None) -> B:
    if not isinstance(value, dict):
        raise InvalidSubmission([Complaint("", "object", "The body must be a JSON object.")])
    try:
        body = form.model_validate(value)
    except ValidationError as error:
        raise InvalidSubmission([complaint(detail) for detail in error.errors()]) from None
    complaints: list[Complaint] = []
    if size is None or size > _SURELY_SMALL:
        complaints = [
            *_too_large("/arguments", body.arguments, ARGUMENTS_LIMIT),
            *_too_large("/context", body.context, CONTEXT_LIMIT),
            *_too_large("/samples", body.samples, CONTEXT_LIMIT),
            *_too_large("/outcome", body.outcome, ARGUMENTS_LIMIT),
        ]
    if body.outcome is not None and body.mode != "observed":
        complaints.append(
            Complaint(
                "/outcome", "mode", "An outcome comes with mode observed alone; a gated one reports it later."
            )
        )
    if body.dry_run and body.mode != "gated":
        complaints.append(Complaint("/dry_run", "mode", "A dry run asks the gate; it goes with mode gated."))
    if complaints:
        raise InvalidSubmission(complaints)
    return body


def _too_large(pointer: str, value: Any, limit: int) -> list[Complaint]:
    if value is None:
        return []
    size = len(canonicalize(value))
    if size <= limit:
        return []
    return [Complaint(pointer, "too_large", f"{size} bytes in canonical form; at most {limit} are taken.")]


def complaint(detail: Any) -> Complaint:
    """Return a pydantic error as a complaint."""
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in detail["loc"])
    kind = str(detail["type"])
    return Complaint(pointer, kind, sentence(kind, detail["msg"], detail.get("ctx")))
