"""What must never happen to actions, decisions and permits, forbidden by the database."""

from django.db import migrations

from hitl_site.lib.triggers import append_only, guard


class Migration(migrations.Migration):
    dependencies = [("reviews", "0001_initial")]

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
  IF (to_jsonb(NEW) - 'consumed_at' - 'consume_key' - 'revoked_at')
     <> (to_jsonb(OLD) - 'consumed_at' - 'consume_key' - 'revoked_at')
     OR (OLD.consumed_at IS NOT NULL AND (NEW.consumed_at IS DISTINCT FROM OLD.consumed_at
                                          OR NEW.consume_key <> OLD.consume_key))
     OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
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
    ]
