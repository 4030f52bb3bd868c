"""The ledger: what happened, written with the change itself, then numbered and chained.

An entry is written inside the transaction of the change that it tells of (``writing``), so there is never one
without the other. Nobody is held up by a chain at that moment: order and hashes come afterwards, from one
sequencer (``linking``), and ``verification`` recomputes them. ``digests`` says exactly what is hashed,
``reading`` is how labelling, streams and pages follow.
"""

from policies.services.ledger.digests import GENESIS_HASH, link_hash
from policies.services.ledger.linking import SEQUENCER_LOCK, link_entries
from policies.services.ledger.reading import LinkedEntry, Stretch, advance, hold, read
from policies.services.ledger.verification import Verification, problems_of, verify
from policies.services.ledger.writing import Actor, NotInTransaction, drawn_up, erase_payload, record

__all__ = [
    "GENESIS_HASH",
    "SEQUENCER_LOCK",
    "Actor",
    "LinkedEntry",
    "NotInTransaction",
    "Stretch",
    "Verification",
    "advance",
    "drawn_up",
    "erase_payload",
    "hold",
    "link_entries",
    "link_hash",
    "problems_of",
    "read",
    "record",
    "verify",
]
