"""What a group may do is changed only while nobody acts on the strength of it (services.rights.hold)."""

from django.db import migrations

from hitl_site.lib.triggers import Guard

# Kept in step with policies.services.rights: RIGHTS_LOCK. A migration does not follow code.
_KEY = 0x68725F7269676874
_TABLE = "auth_group_permissions"
_NAME = "group_rights_wait_for_acts"


class Migration(migrations.Migration):
    dependencies = [
        ("policies", "0006_guard_of_former_owners"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        Guard(
            table=_TABLE,
            trigger=_NAME,
            sql=[
                f"CREATE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql AS $guard$\n"
                f"BEGIN\n  PERFORM pg_advisory_xact_lock({_KEY});\n  RETURN NULL;\nEND\n$guard$",
                # Of the statement, so that it waits before it holds any row: acts take the lock first as well.
                f"CREATE TRIGGER {_NAME} BEFORE UPDATE OR DELETE ON {_TABLE} EXECUTE FUNCTION {_NAME}()",
                f"ALTER TABLE {_TABLE} ENABLE ALWAYS TRIGGER {_NAME}",
            ],
            reverse_sql=[f"DROP TRIGGER {_NAME} ON {_TABLE}", f"DROP FUNCTION {_NAME}()"],
        ),
    ]
