"""The order of a form is the order in which its schema was written."""

from __future__ import annotations

import pytest

from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_json import JsonValue
from policies.choices import Risk
from policies.models import ActionType
from policies.services import action_types
from policies.services.ledger import Actor


@pytest.mark.django_db
def test_the_properties_of_a_schema_keep_their_order() -> None:
    names = ["order", "amount", "pay_to", "a"]
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
    }
    action_types.declare(
        name="refund.issue",
        title="Refund",
        risk=Risk.LOW,
        argument_schema=schema,
        actor=Actor.system(),
        now=database_now(),
    )
    kept = ActionType.objects.get().argument_schema
    assert kept == schema
    assert list(kept["properties"]) == names
