"""Instances made the short way are what the constructor makes."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, models
from django.db.models.expressions import DatabaseDefault

from hitl_site.lib import instances
from hitl_site.lib.clock import database_now
from policies.models import Agent, AgentVersion, GateCheck, LedgerEntry, LedgerPayload, PolicyVersion
from reviews.models import ActionContext, ActionRequest, Permit, ReviewItem


def _inside(row: models.Model) -> dict[str, Any]:
    values = {name: value for name, value in row.__dict__.items() if name != "_state"}
    # A default of the database's own is no value yet, and no two of them are equal.
    return {
        name: DatabaseDefault if isinstance(value, DatabaseDefault) else value
        for name, value in values.items()
    }


@pytest.mark.parametrize(
    "model", [ActionRequest, ActionContext, GateCheck, LedgerEntry, LedgerPayload, Permit, ReviewItem]
)
def test_an_instance_has_the_defaults_and_relations_that_the_constructor_gives(
    model: type[models.Model],
) -> None:
    given: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey):
            given[field.name] = None if field.null else field.related_model(pk=7)
    short, usual = instances.made(model, **given), model(**given)
    assert _inside(short) == _inside(usual)
    assert short._state.fields_cache == usual._state.fields_cache
    assert (short._state.adding, short._state.db) == (True, None)
    for name, related in given.items():
        assert getattr(short, name) is related


def test_mutable_defaults_are_nobody_elses() -> None:
    first, second = instances.made(GateCheck), instances.made(GateCheck)
    first.history["a"] = 1
    assert second.history == {}


def test_the_other_side_of_a_one_to_one_knows_it() -> None:
    check = GateCheck(pk=1)
    action = instances.made(ActionRequest, gate_check=check)
    assert check.action is action


def test_what_is_no_field_is_refused() -> None:
    with pytest.raises(KeyError):
        instances.made(Agent, nonsense=1)


@pytest.mark.django_db
def test_a_loaded_instance_is_as_the_orm_reads_it() -> None:
    made = Agent.objects.create(public_id="agt_x", name="clerk", created_at=database_now())
    read = Agent.objects.get(pk=made.pk)
    names = [field.attname for field in Agent._meta.concrete_fields]
    short = instances.loaded(Agent, names, [getattr(read, name) for name in names], using=connection.alias)
    assert short == read
    assert _inside(short) == _inside(read)
    short.description = "changed"
    short.save(update_fields=["description"])
    assert Agent.objects.get(pk=made.pk).description == "changed"
    deferred = instances.loaded(PolicyVersion, ["id", "number"], [1, 2], using=connection.alias)
    assert deferred.get_deferred_fields() >= {"document"}
    assert AgentVersion(agent=short).agent_id == made.pk
