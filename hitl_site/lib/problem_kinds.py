"""The register of every kind of problem the API answers with: its status, its title, and what to do about it.

A new kind is added here and nowhere else: its page, its ``type`` and its status follow.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem. ``retry_after`` is the wait in seconds when the answer names none of its own."""

    slug: str
    status: int
    title: str
    explanation: str
    remedy: str
    retryable: bool = False
    retry_after: int | None = None


_ALL = (
    # 400: the request cannot be read.
    ProblemKind(
        "bad-request", 400, "Bad request",
        "The request is not one that this address understands.",
        "Compare the request with the API description and correct it.",
    ),
    ProblemKind(
        "malformed-json", 400, "Malformed JSON",
        "The body is not a single JSON text in UTF-8 without a byte order mark (RFC 8259).",
        "Send the output of a JSON encoder, unchanged, and nothing before or after it.",
    ),
    ProblemKind(
        "missing-idempotency-key", 400, "Idempotency-Key is missing",
        "This request changes something, so it needs an Idempotency-Key header.",
        "Send a fresh random key with each new request, and the same key when you repeat one.",
    ),
    ProblemKind(
        "invalid-cursor", 400, "Invalid cursor",
        "The cursor was not made by this site for this list, or has been altered.",
        "Start again without a cursor, and pass cursors back exactly as received.",
    ),
    # 401 to 404: who may do what.
    ProblemKind(
        "unauthenticated", 401, "No valid key",
        "The request carries no agent key, or one that is unknown, expired or revoked.",
        "Send Authorization: Bearer with a live key.",
    ),
    ProblemKind(
        "forbidden", 403, "Not allowed",
        "The caller is known, but may not do this.",
        "Ask an administrator for the right, or use another account.",
    ),
    ProblemKind(
        "scope", 403, "The key lacks the scope",
        "The agent key is valid, but was not given the scope that this address needs.",
        "Issue a key with the scope that the detail names.",
    ),
    ProblemKind(
        "address", 403, "The key is not good from here",
        "The agent key is valid, but only from other network addresses than this one.",
        "Send the request from where the key belongs, or issue a key for this address.",
    ),
    ProblemKind(
        "not-found", 404, "Not found",
        "There is nothing here, or it belongs to another agent.",
        "Check the id, and that the key belongs to the agent that made it.",
    ),
    ProblemKind(
        "method-not-allowed", 405, "Method not allowed",
        "This address does not answer that HTTP method.",
        "Use one of the methods that the Allow header names.",
    ),
    # 409: the state of things forbids it.
    ProblemKind(
        "already-decided", 409, "Already decided",
        "The action has reached a final state, and that does not change any more.",
        "Read the action again and go on from its state.",
    ),
    ProblemKind(
        "conversation-closed", 409, "Conversation closed before",
        "The conversation was closed with another report, and what was reported does not change.",
        "Do nothing: the first report stands. Close every conversation once, with all of its messages.",
    ),
    ProblemKind(
        "already-consumed", 409, "Permit already consumed",
        "A permit lets an action run once. This one has been used under another key.",
        "Do not run the action. If it should happen again, propose it again.",
    ),
    ProblemKind(
        "digest-mismatch", 409, "Digest mismatch",
        "What is about to run is not what was decided: the digests differ.",
        "Do not run it. Run exactly the arguments of the decision, or propose the new ones.",
    ),
    ProblemKind(
        "permit-expired", 409, "Permit expired",
        "The permit's time has passed.",
        "Do not run the action. Propose it again.",
    ),
    ProblemKind(
        "permit-revoked", 409, "Permit revoked",
        "The permit was taken back before it was used.",
        "Do not run the action. Read it again to see why.",
    ),
    ProblemKind(
        "not-approved", 409, "Not approved",
        "The action has not been allowed, approved or corrected, so there is nothing to run.",
        "Wait for the decision, and run the action only with a permit.",
    ),
    ProblemKind(
        "idempotency-in-progress", 409, "The same request is still running",
        "Another request with this Idempotency-Key has not finished yet.",
        "Repeat the request with the same key after a moment.",
        retryable=True, retry_after=1,
    ),
    ProblemKind(
        "kill-switch-active", 409, "Kill switch active",
        "A person has stopped this agent, this action type or everything.",
        "Do not run the action. Only a person can release the switch.",
    ),
    ProblemKind(
        "stop-lifted", 409, "Stop lifted",
        "This stop has been lifted already.",
        "Read the stops that are in force; to stop again, engage a new one.",
    ),
    ProblemKind(
        "policy-stricter", 409, "The policy in force is stricter",
        "The policy changed after the decision, and the stricter answer counts.",
        "Do not run the action. Propose it again under the policy in force.",
    ),
    ProblemKind(
        "outcome-conflict", 409, "Another outcome is recorded",
        "The outcome of this execution has been reported before, and differs.",
        "Leave the record as it is; a person can see both.",
    ),
    ProblemKind(
        "eval-run-closed", 409, "Eval run closed",
        "This eval run takes no results any more, or is done and cannot be given up.",
        "Read the run; begin a new one to test again.",
    ),
    # 413 to 422: sizes, types, contents.
    ProblemKind(
        "body-too-large", 413, "Body too large",
        "The body is larger than this address accepts.",
        "Send less: large documents belong in a blob that the arguments refer to by digest.",
    ),
    ProblemKind(
        "unsupported-media-type", 415, "Unsupported media type",
        "The Content-Type or Content-Encoding of the body is not one that this address reads.",
        "Send application/json.",
    ),
    ProblemKind(
        "validation", 422, "Not valid",
        "The body is JSON, but not what this address asks for.",
        "Correct the fields that the errors point to.",
    ),
    ProblemKind(
        "non-ijson", 422, "Not I-JSON",
        "The body is JSON that two readers could understand differently: a duplicate key, a number that a"
        " double cannot hold, a lone surrogate or U+0000 (RFC 7493).",
        "Send large numbers as strings, each key once, and text that is valid Unicode.",
    ),
    ProblemKind(
        "too-deep", 422, "Nested too deep",
        "Arrays and objects are nested deeper than this site reads.",
        "Flatten the document, or send the deep part as a string.",
    ),
    ProblemKind(
        "idempotency-key-reused", 422, "Idempotency-Key reused",
        "This key was used before with another body.",
        "Use a fresh key for each new request.",
    ),
    # 429: too much.
    ProblemKind(
        "rate-limited", 429, "Too many requests",
        "This agent sends more requests than it may.",
        "Wait as long as Retry-After says.",
        retryable=True, retry_after=1,
    ),
    ProblemKind(
        "too-many-pending", 429, "Too many pending items",
        "This agent already has as many actions waiting for a person as it may have.",
        "Wait for decisions, or cancel what is no longer needed.",
        retryable=True, retry_after=30,
    ),
    # 5xx: our side.
    ProblemKind(
        "internal", 500, "Internal error",
        "Something went wrong on this side. Nothing was allowed.",
        "Repeat the request with the same Idempotency-Key; report the request id if it stays.",
        retryable=True,
    ),
    ProblemKind(
        "database-unavailable", 503, "Database unavailable",
        "The database does not answer at the moment, and without it nothing is allowed.",
        "Repeat the request with the same Idempotency-Key after the time in Retry-After.",
        retryable=True, retry_after=2,
    ),
    ProblemKind(
        "storage-full", 503, "Storage full",
        "The database cannot store anything new, so nothing new is allowed.",
        "An operator has to make space; then repeat the request.",
        retryable=True, retry_after=30,
    ),
    ProblemKind(
        "unavailable", 503, "Unavailable",
        "This part of the site does not answer at the moment.",
        "Repeat the request after the time in Retry-After.",
        retryable=True, retry_after=2,
    ),
)  # fmt: skip

KINDS: dict[str, ProblemKind] = {kind.slug: kind for kind in _ALL}
