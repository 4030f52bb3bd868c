"""No allow and no use of a permit is committed once a stop is: asked at the very commit, not before."""

from django.db import migrations

_REFUSE_AN_ALLOW = """
CREATE FUNCTION no_allow_is_committed_past_a_stop() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
  PERFORM policies_refuse_what_is_stopped(NEW.agent_id, NEW.action_type_id);
  RETURN NULL;
END
$guard$
"""
_REFUSE_A_RUN = """
CREATE FUNCTION no_permit_is_used_past_a_stop() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
  PERFORM policies_refuse_what_is_stopped(
    NEW.agent_id, (SELECT a.action_type_id FROM reviews_actionrequest a WHERE a.id = NEW.action_id)
  );
  RETURN NULL;
END
$guard$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("reviews", "0006_guard_of_expired_permits"),
        ("policies", "0005_stops_hold_at_commit"),
    ]

    operations = [
        migrations.RunSQL(
            sql=[
                _REFUSE_AN_ALLOW,
                """
                CREATE CONSTRAINT TRIGGER no_allow_is_committed_past_a_stop AFTER INSERT ON reviews_actionrequest
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'allowed')
                EXECUTE FUNCTION no_allow_is_committed_past_a_stop()
                """,
                "ALTER TABLE reviews_actionrequest ENABLE ALWAYS TRIGGER no_allow_is_committed_past_a_stop",
            ],
            reverse_sql=[
                "DROP TRIGGER no_allow_is_committed_past_a_stop ON reviews_actionrequest",
                "DROP FUNCTION no_allow_is_committed_past_a_stop()",
            ],
        ),
        migrations.RunSQL(
            sql=[
                _REFUSE_A_RUN,
                """
                CREATE CONSTRAINT TRIGGER no_permit_is_used_past_a_stop AFTER UPDATE ON reviews_permit
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                WHEN (OLD.consumed_at IS NULL AND NEW.consumed_at IS NOT NULL)
                EXECUTE FUNCTION no_permit_is_used_past_a_stop()
                """,
                "ALTER TABLE reviews_permit ENABLE ALWAYS TRIGGER no_permit_is_used_past_a_stop",
            ],
            reverse_sql=[
                "DROP TRIGGER no_permit_is_used_past_a_stop ON reviews_permit",
                "DROP FUNCTION no_permit_is_used_past_a_stop()",
            ],
        ),
    ]
