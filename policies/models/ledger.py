"""The ledger: one append-only record of every change of state (architecture.md, The ledger)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

from hitl_site.lib import ids
from policies.choices import ActorKind, VerificationState

if TYPE_CHECKING:
    from django.db.models import Expression


class TransactionId(models.Field):  # type: ignore[type-arg]  # Field is generic in its stubs alone
    """PostgreSQL's ``xid8``: the number of the transaction that wrote the row."""

    def db_type(self, connection: object) -> str:
        return "xid8"

    def from_db_value(self, value: object, expression: Expression, connection: object) -> int | None:
        return None if value is None else int(str(value))


class CurrentTransactionId(models.Func):
    function = "pg_current_xact_id"
    template = "%(function)s()"
    output_field = TransactionId()


class LedgerEntry(models.Model):
    """One fact: who did what to which object. Written in the same transaction as the change itself.

    ``payload_digest`` is HMAC-SHA256 of the canonical payload under the payload's own salt, so that a payload
    can be erased (a person's right) while the chain still verifies.
    """

    id = models.BigAutoField(primary_key=True)
    transaction_id = TransactionId(db_default=CurrentTransactionId())
    actor_kind = models.CharField(max_length=16, choices=ActorKind)
    actor_id = models.CharField(max_length=60, blank=True)
    actor_name = models.CharField(max_length=200)
    verb = models.CharField(max_length=60)
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=60)
    # The action that this belongs to, where there is one: the story of an item in one query.
    action_id = models.CharField(max_length=60, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    payload_digest = models.CharField(max_length=64)
    occurred_at = models.DateTimeField()

    class Meta:
        indexes = [
            # The sequencer reads in this order; see services.ledger.link_entries.
            models.Index(fields=["transaction_id", "id"], name="ledger_entry_commit_order"),
            models.Index(fields=["action_id", "id"], name="ledger_entry_of_an_action"),
            models.Index(fields=["object_id", "id"], name="ledger_entry_of_an_object"),
            # What the page of the ledger asks for, newest first. A block range costs writers next to nothing.
            models.Index(fields=["verb", "id"], name="ledger_entry_of_a_verb"),
            models.Index(Upper("actor_name"), "id", name="ledger_entry_of_an_actor"),
            BrinIndex(fields=["occurred_at"], name="ledger_entry_by_time", pages_per_range=32),
        ]


class LedgerPayload(models.Model):
    """The content of an entry, apart from it so that it can be erased."""

    entry = models.OneToOneField(
        LedgerEntry, primary_key=True, on_delete=models.PROTECT, related_name="payload"
    )
    salt = models.BinaryField(max_length=32, null=True)
    body = models.JSONField(null=True)
    erased_at = models.DateTimeField(null=True, blank=True)


class LedgerLink(models.Model):
    """An entry's place in the chain: gapless ``seq`` and ``hash`` over the link before."""

    seq = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(LedgerEntry, on_delete=models.PROTECT, related_name="link")
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    linked_at = models.DateTimeField()


class LedgerCheckpoint(models.Model):
    """A signed statement of how far the chain had come and what its last hash was.

    ``note`` is the signed note as it is published elsewhere; what is kept outside cannot be rewritten here.
    """

    seq = models.BigIntegerField(unique=True)
    hash = models.CharField(max_length=64)
    note = models.TextField()
    key_id = models.CharField(max_length=64)
    created_at = models.DateTimeField()


class LedgerVerification(models.Model):
    """One run that recomputes the chain, as a job: how far it is, and what it found."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    state = models.CharField(max_length=16, choices=VerificationState, default=VerificationState.QUEUED)
    asked_by_name = models.CharField(max_length=200)
    total = models.BigIntegerField(default=0)
    verified = models.BigIntegerField(default=0)
    first_bad_seq = models.BigIntegerField(null=True)
    problem = models.TextField(blank=True)
    last_hash = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], condition=Q(state__in=["queued", "running"]), name="ledger_verification_to_do"
            ),
        ]


class LoopTick(models.Model):
    """When a loop of the worker last came round: how one sees that it runs at all."""

    name = models.CharField(max_length=40, primary_key=True)
    ticked_at = models.DateTimeField()


class LedgerCursor(models.Model):
    """How far one reader of the ledger has come."""

    reader = models.CharField(max_length=60, primary_key=True)
    seq = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField()
