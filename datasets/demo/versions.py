"""The demo's datasets: what is frozen of them, what leaves and how it is redacted, what a schedule makes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from datasets.choices import Cadence, ExportFormat, ExportState, Split
from datasets.demo.afterwards import CURATOR, GOLDEN
from datasets.models import Dataset, DatasetVersion, ExportSchedule, RedactionProfile
from datasets.redaction import Detector, FieldRule, Profile, Treatment
from datasets.selectors.choices import Choices, NearDuplicates, Shares, SplitBy, SplitRule
from datasets.selectors.selection import Selection
from datasets.services import datasets, exporting, freezing, redaction, schedules
from datasets.services.exporting import Order
from hitl_site.lib.clock import database_now

TRAINING: Final = "Refunds and credits"
LETTERS: Final = "Letters to customers"
GOLDEN_SET: Final = "Golden refunds"
FROZEN_DAYS_AGO: Final = 2
_PROFILE: Final = "For partners outside"
# By time, so that what the weekend of vouchers taught is tested and never trained on.
_BY_TIME: Final = Choices(split=SplitRule(SplitBy.TIME, Shares(train=50, validation=10, test=40)))
_ONE_OF_EACH: Final = Choices(split=SplitRule(SplitBy.GROUP), near_duplicates=NearDuplicates.ONE_PER_GROUP)


def begin(*, now: datetime) -> None:
    """Make the dataset for training of what was decided so far, and its first version and file; once."""
    _profile(now=now)
    with transaction.atomic():
        dataset = _dataset(
            TRAINING,
            "For the next training of support-agent",
            Selection(action_types=("refund.issue", "credit.issue")),
            _BY_TIME,
            redaction_name=_PROFILE,
            now=now,
        )
        if not dataset.versions.exists():
            _freeze(dataset, now=now)
    _export(dataset.versions.earliest("number"), Order(), now=now)


def collect(*, base: datetime) -> DatasetVersion:
    """Make the other datasets and freeze them; return the golden cases, on which agents are tried."""
    now = base - timedelta(days=1)
    with transaction.atomic():
        golden = _dataset(
            GOLDEN_SET,
            "Refunds with a voucher: what every new version is tried on",
            Selection(action_types=("refund.issue",), tags=(GOLDEN,)),
            Choices(),
            now=now,
        )
        letters = _dataset(
            LETTERS,
            "How we write to customers",
            Selection(action_types=("email.send",)),
            _ONE_OF_EACH,
            now=now,
        )
        for dataset in (golden, letters):
            if not dataset.versions.exists():
                _freeze(dataset, now=now)
    return golden.versions.earliest("number")


def hand_over(*, now: datetime) -> None:
    """Freeze the dataset for training again, write what leaves of it, and have the golden cases go weekly."""
    tomas = User.objects.get(username=CURATOR)
    dataset = Dataset.objects.get(name=TRAINING)
    version = dataset.versions.filter(number=2).first() or _freeze(dataset, now=now)
    _export(version, Order(format=ExportFormat.DPO, compression="gzip"), now=now)
    _export(version, Order(format=ExportFormat.CHAT, split=Split.TRAIN), now=now)
    golden = Dataset.objects.get(name=GOLDEN_SET)
    schedule = ExportSchedule.objects.filter(dataset=golden).first()
    if schedule is None:
        plan = schedules.Plan(
            order=Order(format=ExportFormat.PROMPTFOO), cadence=Cadence.WEEKLY, weekday=0, hour=5
        )
        schedule = schedules.create(dataset_id=golden.public_id, plan=plan, created_by=tomas, now=now)
    if not schedule.exports.exists():
        schedules.run_now(schedule_id=schedule.public_id, by=tomas, now=now)
    for export_id in schedule.exports.values_list("public_id", flat=True):
        exporting.run(export_id=export_id, clock=database_now)


def _profile(*, now: datetime) -> None:
    if RedactionProfile.objects.filter(name=_PROFILE).exists():
        return
    kept_apart = {
        "/arguments/customer": Treatment.PSEUDONYM,
        "/arguments/pay_back_to": Treatment.MASK,
        "/action/subject": Treatment.PSEUDONYM,
        "/input/context/facts/customer_since": Treatment.DROP,
    }
    profile = Profile(
        detectors=frozenset(Detector),
        rules=tuple(FieldRule(pointer, treatment) for pointer, treatment in kept_apart.items()),
    )
    redaction.save_profile(
        name=_PROFILE, profile=profile, based_on=0, saved_by=User.objects.get(username=CURATOR), now=now
    )


def _dataset(
    name: str,
    description: str,
    selection: Selection,
    choices: Choices,
    *,
    redaction_name: str = "",
    now: datetime,
) -> Dataset:
    made = Dataset.objects.filter(name=name).first()
    if made is not None:
        return made
    return datasets.create_dataset(
        name=name,
        description=description,
        selection=selection,
        choices=choices,
        redaction=redaction_name,
        created_by=User.objects.get(username=CURATOR),
        now=now,
    )


def _freeze(dataset: Dataset, *, now: datetime) -> DatasetVersion:
    tomas = User.objects.get(username=CURATOR)
    return freezing.freeze(dataset_id=dataset.public_id, frozen_by=tomas, now=now).version


def _export(version: DatasetVersion, order: Order, *, now: datetime) -> None:
    """Ask for a file of a version and write it; once, whatever became of it since."""
    made = version.exports.filter(format=order.format)
    if made.exclude(state__in=(ExportState.REQUESTED, ExportState.RUNNING)).exists():
        return
    export = exporting.request(
        version_id=version.public_id,
        order=order,
        requested_by=User.objects.get(username=CURATOR),
        now=now,
    )
    exporting.run(export_id=export.public_id, clock=database_now)
