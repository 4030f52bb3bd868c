"""What a proposal of more autonomy rests on stays as it was when somebody was asked."""

from django.db import migrations

from hitl_site.lib.triggers import guard


class Migration(migrations.Migration):
    dependencies = [("policies", "0013_earned_autonomy")]

    operations = [
        guard(
            table="policies_autonomyproposal",
            name="autonomy_proposal_keeps_its_evidence",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'a proposal is kept' USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.state <> 'open' OR ROW(NEW.evidence, NEW.evidence_digest, NEW.agent_version_id, NEW.action_type_id,
      NEW.from_level, NEW.to_level, NEW.threshold, NEW.kind, NEW.expires_at, NEW.proposed_by_id)
      IS DISTINCT FROM ROW(OLD.evidence, OLD.evidence_digest, OLD.agent_version_id, OLD.action_type_id,
      OLD.from_level, OLD.to_level, OLD.threshold, OLD.kind, OLD.expires_at, OLD.proposed_by_id) THEN
    RAISE EXCEPTION 'a proposal is answered once, and nothing else of it changes'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
""",
        ),
    ]
