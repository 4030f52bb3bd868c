"""Agents, their versions, and the keys they sign in with."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import AgentState

# No control, nothing blank, hidden, or that turns the direction of reading. In words that every reader of a
# JSON Schema has (no classes of Unicode, the basic plane alone): the API document says it too.
LONGEST_LABEL: Final = 120
LABEL_PATTERN: Final = (
    r"^[^\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff0-\uffff]*$"
)


class Agent(models.Model):
    """Software that proposes actions. Retired, never deleted."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    name = models.CharField(max_length=120, unique=True)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="owned_agents"
    )
    # Until when an action is proposed too early for a former owner to decide on it (selectors.owners). The
    # database writes it whenever the owner changes, and takes no other word for it (migration 0006).
    former_owners = models.JSONField(default=dict, blank=True, editable=False)
    state = models.CharField(max_length=16, choices=AgentState, default=AgentState.ACTIVE)
    # None: what the settings say for every agent.
    rate_per_minute = models.PositiveIntegerField(null=True, blank=True)
    rate_burst = models.PositiveIntegerField(null=True, blank=True)
    max_pending = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("manage_agents", "Can register agents, make their keys and set their limits")]
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="agent_has_a_name")]

    def __str__(self) -> str:
        return self.name


class AgentVersion(models.Model):
    """One fingerprint of model, prompt and tools. Autonomy belongs to a version, never to an agent.

    The same label with another ``fingerprint`` is another version; "" where the agent gave a label alone.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="versions")
    label = models.CharField(max_length=LONGEST_LABEL)
    fingerprint = models.CharField(max_length=71, blank=True, default="")
    model = models.CharField(max_length=200, blank=True, default="")
    prompt_digest = models.CharField(max_length=71, blank=True, default="")
    tools_digest = models.CharField(max_length=71, blank=True, default="")
    first_seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "label", "fingerprint"], name="agent_version_fingerprint_once_per_label"
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.label}"


class AgentKey(models.Model):
    """A secret of an agent, kept as HMAC-SHA256 under the server's pepper and shown once."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="keys")
    lookup = models.CharField(max_length=8, unique=True)
    secret_hmac = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=40))
    environments = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    # Networks in CIDR form from which the key is good; empty means any.
    addresses = ArrayField(models.CharField(max_length=43), default=list, blank=True)
    replaces = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.agent} …{self.lookup}"
