"""Every statistic against values from independent sources.

``statistics_references.json`` holds, for each function, what is given, what is expected, how near it has to
be, and which library or exact sum the expected value comes from; none comes from this code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from policies.statistics import (
    agreement,
    auditing,
    confidence,
    detection,
    drift,
    evidence,
    intervals,
    prediction,
    staffing,
    thresholds,
    what_if,
)

REFERENCES: dict[str, list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("statistics_references.json").read_text(encoding="utf-8")
)
Given = Mapping[str, Any]


def _two_sided(interval: Callable[..., tuple[float, float]]) -> Callable[[Given], object]:
    return lambda given: interval(given["k"], given["n"], 1 - given["delta"])


def _certified_by(given: Given) -> dict[str, object]:
    pairs = zip(given["n_errors"], given["n_labelled"], strict=True)
    p_values = [thresholds.binom_pvalue(k, n, given["alpha"]) for k, n in pairs]
    return {
        "p": p_values,
        "fixed_sequence": thresholds.fixed_sequence(p_values, given["delta"]),
        "bonferroni": thresholds.bonferroni(p_values, given["delta"]),
        "holm": thresholds.holm(p_values, given["delta"]),
        "fallback": thresholds.fallback(p_values, given["delta"], given["starts"]),
    }


def _curves(given: Given) -> dict[str, object]:
    errors = [wrong if seen else None for wrong, seen in zip(given["wrong"], given["labelled"], strict=True)]
    bins = what_if.bin_scores(given["scores"], errors, given["propensity"], bins=given["nbins"])
    found = what_if.curves(bins, delta=given["delta"])
    return {
        str(threshold): {
            "escalation": found.escalation[place],
            "n_labelled": found.labelled[place],
            "risk_auto": found.risk[place],
            "n_eff": found.n_eff[place],
            "risk_upper": found.risk_high[place],
        }
        for threshold in (0.5, 0.7, 0.9)
        for place in [round(threshold * given["nbins"])]
    }


def _risk_coverage(given: Given) -> dict[str, object]:
    found = confidence.risk_coverage(given["conf"], given["error"])
    return {"aurc": found.area, "eaurc": found.excess, "risk": list(found.risk)}


def _service(given: Given) -> dict[str, object]:
    found = staffing.service(given["c"], given["per_hour"], given["minutes"], given["within_minutes"])
    return {
        "p_wait": found.p_wait,
        "service_level": found.service_level,
        "mean_wait_min": found.mean_wait_minutes,
        "occupancy": found.occupancy,
    }


def _staff_needed(given: Given) -> dict[str, object]:
    found = staffing.staff_needed(**given)
    return {
        "raw": found.at_work,
        "rostered": found.rostered,
        "service_level": found.service.service_level,
        "occupancy": found.service.occupancy,
        "p_wait": found.service.p_wait,
    }


def _powered_mean(given: Given) -> list[float]:
    found = prediction.powered_mean(
        given["y"], given["judge_labelled"], given["judge_all_unlabelled"], delta=given["delta"]
    )
    return [found.mean, found.low, found.high]


COMPUTED: dict[str, Callable[[Given], object]] = {
    "upper_limit": lambda given: intervals.upper_limit(**given),
    "lower_limit": lambda given: intervals.lower_limit(**given),
    "wilson": _two_sided(intervals.wilson),
    "jeffreys": _two_sided(intervals.jeffreys),
    "binom_pvalue": lambda given: thresholds.binom_pvalue(**given),
    "hb_pvalue": lambda given: thresholds.hb_pvalue(**given),
    "n_zero_errors": lambda given: thresholds.n_zero_errors(**given),
    "fixed_n_plan": lambda given: thresholds.fixed_n_plan(**given),
    "beta_log_e": lambda given: evidence.beta_log_e(**given),
    "anytime_upper": lambda given: evidence.anytime_upper(**given),
    "betting_log_e": lambda given: evidence.betting_log_e(
        given["losses"], given["weights"], given["alpha"], fractions=given["fracs"]
    ),
    "detector_sequence": lambda given: drift.detector_sequence(
        given["labels"], given["p0"], multiples=given["mults"]
    ),
    "retry_delta": lambda given: evidence.retry_delta(**given),
    "audit_rate_for_delay": lambda given: auditing.audit_rate_for_delay(
        given["p0"], given["p1"], given["n_actions"], given["arl_labels"]
    ),
    "audit_rate_first_hit": lambda given: auditing.audit_rate_first_hit(
        given["p1"], given["n_actions"], given["miss_prob"]
    ),
    "csp1": lambda given: auditing.csp1(given["p"], given["i"], given["f"]),
    # Where the worst comes about is flat, and the source itself is loose there.
    "csp1_worst": lambda given: auditing.csp1_worst(given["i"], given["f"])[0],
    "curves": _curves,
    "certified_by": _certified_by,
    "brier": lambda given: confidence.brier(given["conf"], given["correct"]),
    "auroc": lambda given: confidence.auroc(given["score"], given["label"], given.get("w")),
    "calibration_error": lambda given: confidence.calibration_error(
        given["conf"], given["correct"], bins=given["bins"], mode=given["mode"]
    ),
    "risk_coverage": _risk_coverage,
    "cohen_kappa": lambda given: agreement.cohen_kappa(given["a"], given["b"], weights=given.get("weights")),
    "fleiss_kappa": lambda given: agreement.fleiss_kappa(given["table"]),
    "krippendorff_alpha": lambda given: agreement.krippendorff_alpha(given["data"], level=given["level"]),
    "gwet_ac1": lambda given: agreement.gwet_ac1(given["table"]),
    "sensitivity_and_criterion": lambda given: detection.sensitivity_and_criterion(**given),
    "rogan_gladen": lambda given: detection.rogan_gladen(given["p_obs"], given["sens"], given["spec"]),
    "powered_mean": _powered_mean,
    "service": _service,
    "staff_needed": _staff_needed,
    "p_chart_limits": lambda given: drift.p_chart_limits(given["pbar"], given["n"], given["false_alarm"]),
    "g_chart_limits": lambda given: drift.g_chart_limits(given["p"], given["false_alarm"]),
}


def _cases() -> Iterator[Any]:
    for name, cases in REFERENCES.items():
        for number, case in enumerate(cases, start=1):
            yield pytest.param(name, case, id=f"{name}-{number}")


def _agree(found: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, dict):
        return found.keys() >= expected.keys() and all(
            _agree(found[key], value, tolerance) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return len(found) == len(expected) and all(
            _agree(one, other, tolerance) for one, other in zip(found, expected, strict=True)
        )
    if isinstance(expected, bool):
        return bool(found) is expected
    return math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance)


@pytest.mark.parametrize(("name", "case"), list(_cases()))
def test_it_says_what_an_independent_source_says(name: str, case: dict[str, Any]) -> None:
    expected = case["expected"][0] if name == "csp1_worst" else case["expected"]
    found = COMPUTED[name](case["given"])
    assert _agree(found, expected, case["tolerance"]), f"{found} instead of {expected}, by {case['from']}"


def test_each_function_has_its_references() -> None:
    assert REFERENCES.keys() == COMPUTED.keys()
    assert sum(len(cases) for cases in REFERENCES.values()) == 116
    assert len(COMPUTED) == 34


def test_a_number_of_agreement_can_be_frozen_into_a_proposal() -> None:
    """A number of numpy's compares to one of its own kind of truths, which has no canonical bytes."""
    alpha = agreement.krippendorff_alpha([[0, 1, 2, 2], [0, 1, 2, 1]], level="ordinal")
    assert type(alpha) is float
    assert type(alpha >= 0.5) is bool
