"""What a removal may take away of actions and of what was said of them, and nothing else."""

from django.db import migrations

from hitl_site.lib.removal_guards import erasable

# The RFC 8785 bytes of an empty object, as jsonb tells of a bytea.
_NO_ARGUMENTS = "\\x7b7d"


class Migration(migrations.Migration):
    dependencies = [
        ("reviews", "0013_precedents"),
        ("policies", "0016_guards_of_removals"),
    ]

    operations = [
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
    ]
