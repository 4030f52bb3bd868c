"""``manage.py rotate_checkpoint_key``: sign the ledger's checkpoints with a new key from the next one on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from policies.services import checkpoint_keys


class Command(BaseCommand):
    help = (
        "Make a new key that signs from the next checkpoint on, and print its public text: keep it"
        " elsewhere. The ledger notes the change with the first checkpoint that the key signs."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        path = checkpoint_keys.make_key(Path(settings.CHECKPOINT_KEY_DIR))
        self.stderr.write(f"Made {path}. Its public key:", style_func=str)
        self.stdout.write(checkpoint_keys.newest().verifier.text)
