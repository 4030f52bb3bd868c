"""Whoever owned an agent when it proposed something, or since, decides nothing about that either."""

from django.db import migrations

_HEAD = """
CREATE OR REPLACE FUNCTION decision_never_by_the_owner() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
  IF EXISTS (
    SELECT 1 FROM reviews_actionrequest a JOIN policies_agent g ON g.id = a.agent_id
    WHERE a.id = NEW.action_id AND """
_TAIL = """
  ) THEN
    RAISE EXCEPTION 'whoever owns an agent decides nothing about it' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
$guard$"""
_OWNER = "g.owner_id = NEW.reviewer_id"
_FORMER = "a.created_at < (g.former_owners ->> ('u' || NEW.reviewer_id))::timestamptz"


class Migration(migrations.Migration):
    dependencies = [
        ("policies", "0006_guard_of_former_owners"),
        ("reviews", "0010_lines_at_speed"),
    ]

    operations = [
        migrations.RunSQL(f"{_HEAD}({_OWNER} OR {_FORMER}){_TAIL}", f"{_HEAD}{_OWNER}{_TAIL}"),
    ]
