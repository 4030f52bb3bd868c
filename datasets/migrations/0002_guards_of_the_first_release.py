"""Cases, versions and what was found are written once; a removal alone takes away what is in them."""

from django.db import migrations

from hitl_site.lib.removal_guards import ANONYMOUS, erasable
from hitl_site.lib.triggers import append_only, guard

# The RFC 8785 bytes of an empty object, as jsonb tells of a bytea.
_NO_ARGUMENTS = "\\x7b7d"
# One definition for those who erase and for the guard: what a case says of itself stays, so that it can be
# counted; what it says of a person goes.
_ERASED_CASE = """
CREATE FUNCTION datasets_erased_case(content jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_object_agg(key, CASE
      WHEN key = 'action' THEN value || '{"subject": null, "conversation_id": ""}'
      WHEN key = 'input' THEN '{"context": null, "reason": ""}'
      WHEN key = 'proposal' AND jsonb_typeof(value) = 'object' THEN value || '{"arguments": null}'
      WHEN key = 'decision' THEN value || '{"note": ""}'
      WHEN key = 'truth' THEN value || '{"arguments": null}'
      WHEN key IN ('patch', 'differences', 'changed_fields') THEN '[]'
      WHEN key = 'cluster' THEN '""'
      WHEN key = 'group' THEN '"erased"'
      WHEN key = 'lineage' THEN value || '{"conversation_id": null}'
      ELSE value END)
    FROM jsonb_each(content)
$$
"""


class Migration(migrations.Migration):
    dependencies = [("datasets", "0001_first_release"), ("policies", "0002_guards_of_the_first_release")]
    replaces = [
        ("datasets", "0002_guards"),
        ("datasets", "0004_guards_of_labels"),
        ("datasets", "0009_guards_of_removals"),
    ]

    operations = [
        *append_only(table="datasets_labelledcase", name="labelled_case_never_changes"),
        *append_only(table="datasets_datasetversion", name="dataset_version_never_changes"),
        *append_only(table="datasets_datasetmember", name="dataset_member_never_changes"),
        *append_only(table="datasets_labelrevision", name="label_revision_never_changes"),
        *append_only(table="datasets_groundtruth", name="ground_truth_never_changes"),
        *append_only(table="datasets_redactionprofile", name="redaction_profile_never_changes"),
        *append_only(table="datasets_grader", name="grader_never_changes"),
        migrations.RunSQL(sql=[_ERASED_CASE], reverse_sql=["DROP FUNCTION datasets_erased_case(jsonb)"]),
        *erasable(
            table="datasets_labelledcase",
            guard="labelled_case_never_changes",
            erased={"group_key": ANONYMOUS, "likeness": "", "similarity": None},
            before=(
                "jsonb_set(to_jsonb(OLD), '{content}', datasets_erased_case(OLD.content))"
                " || jsonb_build_object('erased_at', coalesce(OLD.erased_at, NEW.erased_at))"
            ),
        ),
        *erasable(
            table="datasets_labelrevision",
            guard="label_revision_never_changes",
            erased={"arguments_canonical": _NO_ARGUMENTS, "note": ""},
        ),
        *erasable(
            table="datasets_groundtruth",
            guard="ground_truth_never_changes",
            erased={"arguments_canonical": None, "detail": {}},
        ),
        *erasable(table="datasets_datasetmember", guard="dataset_member_never_changes", erased={"later": {}}),
        *append_only(table="datasets_conversation", name="conversation_never_changes"),
        *erasable(
            table="datasets_conversation",
            guard="conversation_never_changes",
            erased={"messages": None, "subject": None, "conversation_id": ANONYMOUS},
        ),
        *append_only(table="datasets_omission", name="omission_never_changes"),
        *erasable(
            table="datasets_omission",
            guard="omission_never_changes",
            erased={"arguments_canonical": _NO_ARGUMENTS, "note": ""},
        ),
        guard(
            table="datasets_conversationcheck",
            name="conversation_check_is_answered_once",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.finding = '' AND NEW.public_id = OLD.public_id
     AND NEW.conversation_id = OLD.conversation_id AND NEW.asked_at = OLD.asked_at THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'the check of a conversation is answered once' USING ERRCODE = 'restrict_violation';""",
        ),
        *erasable(
            table="datasets_conversationcheck",
            guard="conversation_check_is_answered_once",
            erased={"note": ""},
        ),
        guard(
            table="datasets_legalhold",
            name="legal_hold_is_lifted_once",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.lifted_at IS NULL
     AND (to_jsonb(NEW) - 'lifted_at' - 'lifted_by_name' - 'lift_reason')
       = (to_jsonb(OLD) - 'lifted_at' - 'lifted_by_name' - 'lift_reason') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a legal hold is lifted, once, and nothing else' USING ERRCODE = 'restrict_violation';""",
        ),
    ]
