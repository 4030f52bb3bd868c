"""What decides, at the moment of a commit, whether a stop or a paused agent forbids it."""

from django.db import migrations

# Kept in step with policies.services.kill_switch: STOP_LOCK and STOPPED. A migration does not follow code.
_FUNCTION = """
CREATE FUNCTION policies_refuse_what_is_stopped(asking_agent bigint, asking_type bigint) RETURNS void
LANGUAGE plpgsql AS $guard$
BEGIN
  -- Whoever stops something does so as the last act of its own transaction; that one is not asked.
  IF current_setting('handrail.stopping', true) = 'on' THEN
    RETURN;
  END IF;
  -- Shared by those who commit, held alone by the one who stops: a commit is over before the stop, or sees it.
  PERFORM pg_advisory_xact_lock_shared(7526182876768858227);
  IF EXISTS (
    SELECT 1 FROM policies_killswitch k WHERE k.lifted_at IS NULL
    AND (k.scope = 'everything' OR k.agent_id = asking_agent OR k.action_type_id = asking_type)
  ) OR EXISTS (SELECT 1 FROM policies_agent a WHERE a.id = asking_agent AND a.state <> 'active') THEN
    RAISE EXCEPTION 'a stop is in force' USING ERRCODE = 'HR001';
  END IF;
END
$guard$
"""


class Migration(migrations.Migration):
    dependencies = [("policies", "0004_guards_of_shadow")]

    operations = [
        migrations.RunSQL(
            sql=[_FUNCTION],
            reverse_sql=["DROP FUNCTION policies_refuse_what_is_stopped(bigint, bigint)"],
        )
    ]
