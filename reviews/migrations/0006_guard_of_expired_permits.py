"""The sweeper may write once that a permit ran out; nothing else about a permit became changeable."""

from django.db import migrations

from hitl_site.lib.triggers import redefine

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
    dependencies = [("reviews", "0005_permit_expired_at")]

    operations = [
        redefine(
            name="permit_only_for_what_was_decided",
            body=_NO_PERMIT_WITHOUT_A_DECISION
            + """
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
            before=_NO_PERMIT_WITHOUT_A_DECISION
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
        ),
    ]
