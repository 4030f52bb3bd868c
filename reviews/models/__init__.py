"""Facts and constraints of the reviewing app."""

from reviews.models.actions import ActionContext, ActionRequest, IngestRow
from reviews.models.attention import Draft, ItemView
from reviews.models.decisions import Decision
from reviews.models.incidents import Incident
from reviews.models.items import Escalation, ReviewItem, Skip
from reviews.models.permits import Execution, Permit
from reviews.models.queues import DEFAULT_QUEUE, Queue
from reviews.models.second_opinions import SecondOpinion

__all__ = [
    "DEFAULT_QUEUE",
    "ActionContext",
    "ActionRequest",
    "Decision",
    "Draft",
    "Escalation",
    "Execution",
    "Incident",
    "IngestRow",
    "ItemView",
    "Permit",
    "Queue",
    "ReviewItem",
    "SecondOpinion",
    "Skip",
]
