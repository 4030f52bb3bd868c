"""What must never happen to verdicts, policies and the ledger, forbidden by the database."""

from django.db import migrations

from hitl_site.lib.removal_guards import ANONYMOUS, FUNCTIONS, erasable
from hitl_site.lib.triggers import append_only, guard

# Kept in step with policies.services.kill_switch: STOP_LOCK and STOPPED. A migration does not follow code.
_REFUSE_WHAT_IS_STOPPED = """
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
      AND tablename IN ('policies_gatecheck')
  LOOP
    EXECUTE format('DROP INDEX %I', name);
  END LOOP;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("policies", "0001_first_release")]
    replaces = [
        ("policies", "0002_guards"),
        ("policies", "0004_guards_of_shadow"),
        ("policies", "0005_stops_hold_at_commit"),
        ("policies", "0008_no_second_index_over_names"),
        ("policies", "0010_guards_of_evidence"),
        ("policies", "0012_guards_of_declaration_changes"),
        ("policies", "0014_guards_of_earned_autonomy"),
        ("policies", "0016_guards_of_removals"),
    ]

    operations = [
        *append_only(table="policies_gatecheck", name="gate_check_never_changes"),
        *append_only(table="policies_observation", name="observation_never_changes"),
        *append_only(table="policies_ledgerentry", name="ledger_entry_never_changes"),
        *append_only(table="policies_ledgerlink", name="ledger_link_never_changes"),
        guard(
            table="policies_ledgerpayload",
            name="ledger_payload_is_only_erased",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.erased_at IS NULL AND NEW.entry_id = OLD.entry_id
     AND NEW.body IS NULL AND NEW.salt IS NULL AND NEW.erased_at IS NOT NULL THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a ledger payload can only be erased' USING ERRCODE = 'restrict_violation';""",
        ),
        guard(
            table="policies_policyversion",
            name="policy_version_never_changes_once_published",
            events="UPDATE OR DELETE",
            body="""
  IF OLD.state = 'draft' THEN
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.state IN ('shadow', 'live') AND NEW.state = 'retired' AND NEW.retired_at IS NOT NULL
     AND (to_jsonb(NEW) - 'state' - 'retired_at') = (to_jsonb(OLD) - 'state' - 'retired_at') THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.state = 'shadow' AND NEW.state = 'live' AND NEW.published_at IS NOT NULL
     AND (to_jsonb(NEW) - 'state' - 'published_at' - 'reason')
         = (to_jsonb(OLD) - 'state' - 'published_at' - 'reason') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a published policy version never changes' USING ERRCODE = 'restrict_violation';""",
        ),
        *append_only(table="policies_shadowcheck", name="shadow_check_never_changes"),
        *append_only(table="policies_ledgercheckpoint", name="ledger_checkpoint_never_changes"),
        *append_only(table="policies_publicationapproval", name="publication_approval_never_changes"),
        *append_only(table="policies_missinglabel", name="missing_label_never_changes"),
        *append_only(table="policies_drillresult", name="drill_result_never_changes"),
        *append_only(table="policies_declarationapproval", name="declaration_approval_never_changes"),
        guard(
            table="policies_declarationchange",
            name="declaration_change_is_frozen",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.state = 'open'
     AND (to_jsonb(NEW) - 'state' - 'closed_at' - 'closed_because' - 'people_required')
         = (to_jsonb(OLD) - 'state' - 'closed_at' - 'closed_because' - 'people_required') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a change to a declaration never changes' USING ERRCODE = 'restrict_violation';""",
        ),
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
        migrations.RunSQL(
            sql=[_REFUSE_WHAT_IS_STOPPED],
            reverse_sql=["DROP FUNCTION policies_refuse_what_is_stopped(bigint, bigint)"],
        ),
        FUNCTIONS,
        *erasable(
            table="policies_gatecheck",
            guard="gate_check_never_changes",
            erased={"cluster_key": ANONYMOUS, "nearest_miss": ""},
            before="jsonb_set(to_jsonb(OLD), '{reasons}', policies_erased_reasons(OLD.reasons))",
        ),
        *erasable(
            table="policies_observation",
            guard="observation_never_changes",
            erased={"cluster_key": ANONYMOUS},
        ),
        *erasable(
            table="policies_shadowcheck",
            guard="shadow_check_never_changes",
            erased={},
            before="jsonb_set(to_jsonb(OLD), '{reasons}', policies_erased_reasons(OLD.reasons))",
        ),
        guard(
            table="policies_removal",
            name="removal_done_is_final",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.state <> 'done' AND NEW.public_id = OLD.public_id AND NEW.kind = OLD.kind
     AND NEW.criterion = OLD.criterion AND NEW.value_digest = OLD.value_digest AND NEW.reason = OLD.reason
     AND NEW.legal_basis = OLD.legal_basis AND NEW.asked_at = OLD.asked_at
     AND (NEW.value = OLD.value OR NEW.state = 'done' AND NEW.value = '') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'what a removal was for never changes, nor does one that is done'
    USING ERRCODE = 'restrict_violation';""",
        ),
        guard(
            table="policies_removaltarget",
            name="removal_target_is_removed_once",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.removed_at IS NULL AND NEW.removal_id = OLD.removal_id
     AND NEW.kind = OLD.kind AND NEW.object_id = OLD.object_id THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'what a removal has reached stays written down' USING ERRCODE = 'restrict_violation';""",
        ),
        migrations.RunSQL(sql=[_DROP_INDEXES_FOR_PREFIXES], reverse_sql=migrations.RunSQL.noop),
        migrations.RunSQL(
            "ALTER TABLE policies_pastchunk ALTER COLUMN columns SET STORAGE EXTERNAL,"
            " ALTER COLUMN numbers SET STORAGE EXTERNAL",
            migrations.RunSQL.noop,
        ),
    ]
