"""Who owned an agent is kept by the database: handing it over makes nobody independent of what it did."""

from django.db import migrations

from hitl_site.lib.triggers import guard

# What was handed over before there was the column, as the ledger tells it.
_EARLIER = """
UPDATE policies_agent g SET former_owners = f.found
FROM (
  SELECT e.object_id, jsonb_object_agg('u' || e.person, e.until) AS found
  FROM (
    SELECT e.object_id, u.id AS person, max(e.occurred_at) + interval '7 days' AS until
    FROM policies_ledgerentry e
    JOIN policies_ledgerpayload p ON p.entry_id = e.id
    JOIN auth_user u ON u.username = p.body #>> '{before,owner}'
    WHERE e.verb = 'agent.changed' GROUP BY e.object_id, u.id
  ) e GROUP BY e.object_id
) f WHERE f.object_id = g.public_id
"""


class Migration(migrations.Migration):
    dependencies = [("policies", "0005_former_owners")]

    operations = [
        migrations.RunSQL(_EARLIER, migrations.RunSQL.noop),
        guard(
            table="policies_agent",
            name="agent_remembers_its_owners",
            events="UPDATE OF owner_id, former_owners",
            body="""
  NEW.former_owners := OLD.former_owners;
  IF OLD.owner_id IS NOT NULL AND NEW.owner_id IS DISTINCT FROM OLD.owner_id THEN
    -- The week keeps those apart as well who hand over first and have something proposed then.
    NEW.former_owners := NEW.former_owners
      || jsonb_build_object('u' || OLD.owner_id, clock_timestamp() + interval '7 days');
  END IF;
  RETURN NEW;""",
        ),
    ]
