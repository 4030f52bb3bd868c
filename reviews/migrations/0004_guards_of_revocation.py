"""A revocation says why; an incident that was resolved stays so."""

from django.db import migrations

from hitl_site.lib.triggers import guard, redefine

_NO_PERMIT_WITHOUT_A_DECISION = """
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
  END IF;"""


class Migration(migrations.Migration):
    dependencies = [("reviews", "0003_gate_at_full_strength")]

    operations = [
        redefine(
            name="permit_only_for_what_was_decided",
            body=_NO_PERMIT_WITHOUT_A_DECISION
            + """
  IF (to_jsonb(NEW) - 'consumed_at' - 'consume_key' - 'revoked_at' - 'revoke_reason')
     <> (to_jsonb(OLD) - 'consumed_at' - 'consume_key' - 'revoked_at' - 'revoke_reason')
     OR (OLD.consumed_at IS NOT NULL AND (NEW.consumed_at IS DISTINCT FROM OLD.consumed_at
                                          OR NEW.consume_key <> OLD.consume_key))
     OR (OLD.revoked_at IS NOT NULL AND (NEW.revoked_at IS DISTINCT FROM OLD.revoked_at
                                         OR NEW.revoke_reason <> OLD.revoke_reason))
     OR (NEW.revoked_at IS NULL AND NEW.revoke_reason <> '')
     OR (OLD.revoked_at IS NOT NULL AND OLD.consumed_at IS NULL AND NEW.consumed_at IS NOT NULL) THEN
    RAISE EXCEPTION 'a permit is consumed once and revoked once' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;""",
            before=_NO_PERMIT_WITHOUT_A_DECISION
            + """
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
    ]
