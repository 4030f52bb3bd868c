"""Alice administers, the agent clerk asks leave to issue refunds under a policy with a threshold of 0.8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policies.models import ActionType, Agent, AgentVersion, PolicyVersion
from policies.tests import base

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@pytest.fixture
def alice(db: None) -> User:
    return base.make_user("alice")


@pytest.fixture
def clerk(db: None) -> Agent:
    return base.make_agent()[0]


@pytest.fixture
def clerk_v1(clerk: Agent) -> AgentVersion:
    return clerk.versions.get()


@pytest.fixture
def refund(db: None) -> ActionType:
    return base.make_refund_type()


@pytest.fixture
def refund_policy(refund: ActionType, alice: User) -> PolicyVersion:
    return base.make_policy(refund, alice)
