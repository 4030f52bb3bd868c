"""Facts and constraints of the reviewing app."""

from reviews.models.actions import ActionContext, ActionRequest, IngestRow
from reviews.models.attention import Draft, ItemView, PaceNotice
from reviews.models.decisions import Decision
from reviews.models.drills import Drill, DrillBurst, DrillSeed
from reviews.models.incidents import Incident
from reviews.models.items import Escalation, ReviewItem, Skip
from reviews.models.notices import Channel, Delivery, Notice
from reviews.models.permits import Execution, Permit
from reviews.models.precedents import Precedent
from reviews.models.preferences import Preferences, SavedView
from reviews.models.queues import DEFAULT_QUEUE, Queue
from reviews.models.second_opinions import SecondOpinion, SecondReview
from reviews.models.team import Capacity, QueueMember, Shift, Skill

__all__ = [
    "DEFAULT_QUEUE",
    "ActionContext",
    "ActionRequest",
    "Capacity",
    "Channel",
    "Decision",
    "Delivery",
    "Draft",
    "Drill",
    "DrillBurst",
    "DrillSeed",
    "Escalation",
    "Execution",
    "Incident",
    "IngestRow",
    "ItemView",
    "Notice",
    "PaceNotice",
    "Permit",
    "Precedent",
    "Preferences",
    "Queue",
    "QueueMember",
    "ReviewItem",
    "SavedView",
    "SecondOpinion",
    "SecondReview",
    "Shift",
    "Skill",
    "Skip",
]
