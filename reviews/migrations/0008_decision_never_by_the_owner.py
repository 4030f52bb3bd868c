"""Whoever owns an agent decides nothing about it, not even by a statement past the product."""

from django.db import migrations

from hitl_site.lib.triggers import guard


class Migration(migrations.Migration):
    dependencies = [("reviews", "0007_guards_of_second_reviews")]

    operations = [
        guard(
            table="reviews_decision",
            name="decision_never_by_the_owner",
            events="INSERT",
            body="""
  IF EXISTS (
    SELECT 1 FROM reviews_actionrequest a JOIN policies_agent g ON g.id = a.agent_id
    WHERE a.id = NEW.action_id AND g.owner_id = NEW.reviewer_id
  ) THEN
    RAISE EXCEPTION 'whoever owns an agent decides nothing about it' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;""",
        ),
    ]
