"""What must never happen to actions, decisions, permits and drills, forbidden by the database."""

from django.db import migrations

from hitl_site.lib.removal_guards import erasable
from hitl_site.lib.triggers import Guard, append_only, guard

# The RFC 8785 bytes of an empty object, as jsonb tells of a bytea.
_NO_ARGUMENTS = "\\x7b7d"
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
_ONE_BY_ITS_CHECK = """
CREATE FUNCTION drill_is_one_by_its_gate_check() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RAISE EXCEPTION 'what is a drill stays one, and nothing becomes one' USING ERRCODE = 'restrict_violation';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM policies_gatecheck g WHERE g.id = NEW.gate_check_id AND g.drill) THEN
    RAISE EXCEPTION 'a drill has the gate check of a drill' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
$guard$
"""
# An item that opens tells its queue's channels, whoever opens it: in the database, so that it is the transaction
# of the item itself and costs the gate no round trip.
# Bursts leave as one message: what comes within this time of the first goes with it.
_TELL_CHANNELS = """
CREATE FUNCTION handrail_item_tells_channels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO reviews_delivery
        (channel_id, item_id, kind, key, state, attempts, send_at, problem, created_at)
    SELECT channel.id, NEW.id, 'arrived', 'arrived:' || channel.id || ':' || NEW.id, 'waiting', 0,
           NEW.created_at + interval '30 seconds', '', NEW.created_at
    FROM reviews_channel AS channel
    WHERE channel.queue_id = NEW.queue_id AND channel.ended_at IS NULL
    ON CONFLICT (key) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER item_tells_channels AFTER INSERT ON reviews_reviewitem
FOR EACH ROW WHEN (NEW.status = 'open') EXECUTE FUNCTION handrail_item_tells_channels();
"""
_TELL_NOBODY = """
DROP TRIGGER item_tells_channels ON reviews_reviewitem;
DROP FUNCTION handrail_item_tells_channels();
"""
# Each unique text comes with a second index that serves searches for a prefix under locales that do not sort by
# bytes. Nobody searches these names by prefix, and every action that comes in would pay for it.
_DROP_INDEXES_FOR_PREFIXES = """
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN
    SELECT indexname FROM pg_indexes
    WHERE schemaname = current_schema() AND indexname LIKE '%\\_like'
      AND tablename IN ('reviews_actionrequest', 'reviews_ingestrow', 'reviews_permit', 'reviews_reviewitem')
  LOOP
    EXECUTE format('DROP INDEX %I', name);
  END LOOP;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("reviews", "0001_first_release"), ("policies", "0002_guards_of_the_first_release")]
    replaces = [
        ("reviews", "0002_guards"),
        ("reviews", "0004_guards_of_revocation"),
        ("reviews", "0006_guard_of_expired_permits"),
        ("reviews", "0007_nothing_commits_past_a_stop"),
        ("reviews", "0008_no_second_index_over_names"),
        ("reviews", "0010_guard_of_second_opinions"),
        ("reviews", "0012_guards_of_drills"),
        ("reviews", "0014_guards_of_removals"),
        ("reviews", "0018_items_tell_channels"),
    ]

    operations = [
        guard(
            table="reviews_actionrequest",
            name="action_terminal_states_are_final",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'an action is never deleted' USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.public_id <> OLD.public_id OR NEW.agent_id <> OLD.agent_id OR NEW.digest <> OLD.digest
     OR NEW.arguments_canonical <> OLD.arguments_canonical OR NEW.gate_check_id <> OLD.gate_check_id
     OR NEW.idempotency_key <> OLD.idempotency_key OR NEW.body_digest <> OLD.body_digest
     OR NEW.environment <> OLD.environment OR NEW.subject IS DISTINCT FROM OLD.subject
     OR NEW.action_type_name <> OLD.action_type_name OR NEW.mode <> OLD.mode THEN
    RAISE EXCEPTION 'what an agent proposed never changes' USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.state <> 'pending_review'
     AND (NEW.state <> OLD.state OR NEW.final_digest <> OLD.final_digest
          OR NEW.final_arguments_canonical IS DISTINCT FROM OLD.final_arguments_canonical) THEN
    RAISE EXCEPTION 'action state % is final', OLD.state USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;""",
        ),
        guard(
            table="reviews_decision",
            name="decision_never_changes_but_for_its_end",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.released_at IS NULL AND OLD.undone_at IS NULL
     AND (to_jsonb(NEW) - 'released_at' - 'undone_at') = (to_jsonb(OLD) - 'released_at' - 'undone_at') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a decision never changes' USING ERRCODE = 'restrict_violation';""",
        ),
        guard(
            table="reviews_permit",
            name="permit_only_for_what_was_decided",
            events="INSERT OR UPDATE OR DELETE",
            body="""
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'a permit is never deleted' USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'INSERT' THEN
    -- The basis is the action's state, the digest what was decided; a drill or an observed action has neither.
    IF NOT EXISTS (
      SELECT 1 FROM reviews_actionrequest a JOIN policies_gatecheck g ON g.id = a.gate_check_id
      WHERE a.id = NEW.action_id AND a.state = NEW.basis AND a.mode = 'gated' AND NOT g.drill
        AND a.final_digest = NEW.digest AND a.agent_id = NEW.agent_id AND g.level <> 'shadow'
    ) THEN
      RAISE EXCEPTION 'no permit without a decision on these very arguments' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (to_jsonb(NEW) - 'consumed_at' - 'consume_key' - 'revoked_at' - 'revoke_reason' - 'expired_at')
     <> (to_jsonb(OLD) - 'consumed_at' - 'consume_key' - 'revoked_at' - 'revoke_reason' - 'expired_at')
     OR (OLD.consumed_at IS NOT NULL AND (NEW.consumed_at IS DISTINCT FROM OLD.consumed_at
                                          OR NEW.consume_key <> OLD.consume_key))
     OR (OLD.revoked_at IS NOT NULL AND (NEW.revoked_at IS DISTINCT FROM OLD.revoked_at
                                         OR NEW.revoke_reason <> OLD.revoke_reason))
     OR (OLD.expired_at IS NOT NULL AND NEW.expired_at IS DISTINCT FROM OLD.expired_at)
     OR (NEW.revoked_at IS NULL AND NEW.revoke_reason <> '')
     OR (OLD.revoked_at IS NOT NULL AND OLD.consumed_at IS NULL AND NEW.consumed_at IS NOT NULL) THEN
    RAISE EXCEPTION 'a permit is consumed once and revoked once' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;""",
        ),
        guard(
            table="reviews_execution",
            name="execution_outcome_is_final",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND NOT (OLD.reported AND NEW.outcome <> OLD.outcome) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a reported outcome is final' USING ERRCODE = 'restrict_violation';""",
        ),
        *append_only(table="reviews_actioncontext", name="action_context_never_changes"),
        *append_only(table="reviews_escalation", name="escalation_never_changes"),
        guard(
            table="reviews_incident",
            name="incident_is_resolved_once",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.resolution = '' AND NEW.execution_id = OLD.execution_id AND NEW.kind = OLD.kind
     AND NEW.action_id = OLD.action_id AND NEW.detail = OLD.detail AND NEW.opened_at = OLD.opened_at THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'an incident is resolved once' USING ERRCODE = 'restrict_violation';""",
        ),
        # No allow and no use of a permit is committed once a stop is: asked at the very commit, not before.
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
        *append_only(table="reviews_secondopinion", name="second_opinion_never_changes"),
        Guard(
            table="reviews_actionrequest",
            trigger="drill_is_one_by_its_gate_check",
            sql=[
                _ONE_BY_ITS_CHECK,
                # Real actions, which are nearly all, never get as far as the function.
                """
                CREATE TRIGGER drill_is_one_by_its_gate_check BEFORE INSERT ON reviews_actionrequest
                FOR EACH ROW WHEN (NEW.drill) EXECUTE FUNCTION drill_is_one_by_its_gate_check()
                """,
                "ALTER TABLE reviews_actionrequest ENABLE ALWAYS TRIGGER drill_is_one_by_its_gate_check",
            ],
            reverse_sql=["DROP TRIGGER drill_is_one_by_its_gate_check ON reviews_actionrequest"],
        ),
        Guard(
            table="reviews_actionrequest",
            trigger="drill_stays_a_drill",
            sql=[
                """
                CREATE TRIGGER drill_stays_a_drill BEFORE UPDATE ON reviews_actionrequest
                FOR EACH ROW WHEN (NEW.drill <> OLD.drill) EXECUTE FUNCTION drill_is_one_by_its_gate_check()
                """,
                "ALTER TABLE reviews_actionrequest ENABLE ALWAYS TRIGGER drill_stays_a_drill",
            ],
            reverse_sql=[
                "DROP TRIGGER drill_stays_a_drill ON reviews_actionrequest",
                "DROP FUNCTION drill_is_one_by_its_gate_check()",
            ],
        ),
        guard(
            table="policies_observation",
            name="observation_never_of_a_drill",
            events="INSERT",
            body="""
  IF EXISTS (SELECT 1 FROM policies_gatecheck g WHERE g.id = NEW.gate_check_id AND g.drill) THEN
    RAISE EXCEPTION 'a drill says nothing of the agent' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;""",
        ),
        guard(
            table="reviews_drill",
            name="drill_is_served_once",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.served_at IS NULL AND OLD.dropped_because = ''
     AND NEW.drawn_by = OLD.drawn_by AND NEW.propensity = OLD.propensity THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a drill that was served or dropped never changes' USING ERRCODE = 'restrict_violation';""",
        ),
        guard(
            table="reviews_drillseed",
            name="drill_seed_keeps_its_answer",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.state <> 'retired' AND NEW.state <> 'waiting'
     AND (to_jsonb(NEW) - 'state' - 'judged_by_id' - 'judged_by_name' - 'judged_at')
       = (to_jsonb(OLD) - 'state' - 'judged_by_id' - 'judged_by_name' - 'judged_at') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'what a seed is made of never changes, nor does a retired one' USING ERRCODE = 'restrict_violation';""",
        ),
        *erasable(
            table="reviews_actionrequest",
            guard="action_terminal_states_are_final",
            erased={
                "title": "Erased",
                "arguments_canonical": _NO_ARGUMENTS,
                "arguments": {},
                "final_arguments_canonical": _NO_ARGUMENTS,
                "likeness": "",
                "subject": None,
                "conversation_id": "",
            },
        ),
        *erasable(
            table="reviews_actioncontext",
            guard="action_context_never_changes",
            erased={"context": None, "judge": None, "samples": None, "reason": "", "reported_outcome": None},
        ),
        *erasable(
            table="reviews_decision",
            guard="decision_never_changes_but_for_its_end",
            erased={"final_arguments_canonical": _NO_ARGUMENTS, "patch": [], "note": ""},
        ),
        *erasable(table="reviews_escalation", guard="escalation_never_changes", erased={"note": ""}),
        *erasable(
            table="reviews_incident", guard="incident_is_resolved_once", erased={"detail": {}, "note": ""}
        ),
        *erasable(
            table="reviews_permit",
            guard="permit_only_for_what_was_decided",
            erased={"revoke_reason": ""},
            events="INSERT OR UPDATE OR DELETE",
        ),
        *erasable(
            table="reviews_drill", guard="drill_is_served_once", erased={"expected_canonical": _NO_ARGUMENTS}
        ),
        migrations.RunSQL(_TELL_CHANNELS, _TELL_NOBODY),
        migrations.RunSQL(sql=[_DROP_INDEXES_FOR_PREFIXES], reverse_sql=migrations.RunSQL.noop),
    ]
