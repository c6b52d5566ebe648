"""Judge `OrderBook` by tracebook-conformance, a matching engine of somebody else's.

    python tests/conformance/judge.py

Both engines get the same events; after each, outcome, trades and the whole book by priority must
be the same. Prints a line a case and skips none but those that `OUT_OF_SCOPE` names, which it
prints as such. Exit status: 0 all the same, 1 a case differs, is missing or did not run.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

try:
    from tracebook.conformance import (
        BUNDLED_SUITE_VERSIONS,
        CampaignProfile,
        CampaignResult,
        ConformanceConfig,
        ConformanceError,
        ExternalProcessAdapterFactory,
        SuiteCase,
        copy_bundled_conformance_suite,
        get_campaign_profile,
        run_campaign,
        run_conformance,
        run_qualification,
    )
    from tracebook.core.order import SelfTradePolicy
except ModuleNotFoundError as error:
    sys.exit(f"{error}: pip install 'cea-exchange[conformance]' (Python 3.13 or older)")

ADAPTER = Path(__file__).with_name("adapter.py")
CANDIDATE = ExternalProcessAdapterFactory([sys.executable, str(ADAPTER)], timeout_seconds=60)

OUT_OF_SCOPE = {
    "pro-rata-allocation": "allocation in proportion to size; the book's rule is price and time",
}
# Each suite has these, so that a case dropped from a later release is no case passed.
SUITE_CASES = (
    "fifo-lifecycle",
    "order-instructions",
    "stp-cancel-resting",
    "stp-cancel-incoming",
    "multi-symbol",
    "tick-grid",
    "deep-cancellation",
)
PROFILES = ("fifo-limit-v1", "fifo-full-v1", "fifo-partial-fill-v1")
QUALIFICATIONS = ("fifo-limit-v1", "fifo-full-v1")
SEEDS = (1, 2, 3, 20250716)


@dataclass(frozen=True)
class Verdict:
    """One line of the judge."""

    case: str
    result: str
    """`same`, `DIFFERENT`, `MISSING`, `DID NOT RUN` or `out of scope`"""
    detail: str
    evidence: str = ""

    @property
    def failed(self) -> bool:
        return self.result not in ("same", "out of scope")

    def __str__(self) -> str:
        line = f"{self.case:52} {self.result:12} {self.detail}"
        return f"{line}\n{self.evidence}" if self.evidence else line


def judged(case: str, run: Callable[[], tuple[bool, str, object]]) -> Verdict:
    """Run a case that returns whether all was the same, the counts, and what differs if not."""
    try:
        same, detail, evidence = run()
    except ConformanceError as error:
        return Verdict(case, "DID NOT RUN", str(error))
    text = "" if same else json.dumps(evidence, indent=2, sort_keys=True)
    return Verdict(case, "same" if same else "DIFFERENT", detail, text)


def judge_suite(version: str, candidate) -> Iterator[Verdict]:
    """Run every case of a bundled suite."""
    with tempfile.TemporaryDirectory() as folder:
        suite = copy_bundled_conformance_suite(Path(folder) / version, suite_version=version)
        for case in suite.cases:
            name = f"suite {version} {case.name}"
            if case.name in OUT_OF_SCOPE:
                yield Verdict(name, "out of scope", OUT_OF_SCOPE[case.name])
                continue
            yield judged(name, partial(suite_case_run, case, candidate))
    for name in sorted(set(SUITE_CASES) - {case.name for case in suite.cases}):
        yield Verdict(f"suite {version} {name}", "MISSING", "the suite no longer has this case")


def suite_case_run(case: SuiteCase, candidate) -> tuple[bool, str, object]:
    report = run_conformance(case.load_events(), candidate, case.config, case.name)
    detail = f"{report.compared_events} of {report.event_count} events"
    return report.conformant, detail, report.to_dict()["divergence"]


def self_trade_profile(policy: SelfTradePolicy) -> CampaignProfile:
    """`fifo-full-v1` with a self-trade policy: its four owners keep meeting themselves."""
    full = get_campaign_profile("fifo-full-v1")
    return replace(
        full,
        name=f"fifo-full-{policy.name.lower().replace('_', '-')}",
        config=ConformanceConfig(self_trade_policy=policy),
    )


def campaign_profiles() -> list[CampaignProfile]:
    """Return the judge's own profiles, and one for each self-trade policy it knows."""
    policies = (SelfTradePolicy.CANCEL_RESTING, SelfTradePolicy.CANCEL_INCOMING)
    return [get_campaign_profile(name) for name in PROFILES] + [
        self_trade_profile(policy) for policy in policies
    ]


def judge_campaign(
    profile: CampaignProfile, seed: int, traces: int, events: int, candidate
) -> Verdict:
    """Run generated traces; the first that differs is reduced and shown."""
    return judged(
        f"campaign {profile.name} seed {seed}",
        lambda: campaign_outcome(run_campaign(candidate, profile, seed, traces, events)),
    )


def campaign_outcome(result: CampaignResult) -> tuple[bool, str, object]:
    status = result.semantic_coverage
    covered, expected = status.covered_capabilities, status.expected_capabilities
    detail = (
        f"{len(result.traces)} of {result.requested_traces} traces, "
        f"{status.compared_events} events, {status.trades} trades, "
        f"{status.outcomes.get('rejected', 0)} rejects, "
        f"{len(covered)} of {len(expected)} capabilities"
    )
    evidence = {"uncovered": status.uncovered_capabilities}
    if result.failure is not None:
        reduced = result.failure.minimization
        evidence["class"] = result.failure.failure_class
        evidence["divergence"] = reduced.report.to_dict()["divergence"]
        evidence["events"] = [event.to_dict() for event in reduced.events]
    return result.conformant and not status.uncovered_capabilities, detail, evidence


def judge_qualification(profile: str, version: str, candidate) -> Verdict:
    """Run the package's own `qualify`: the profile's cases of a suite, then a campaign."""

    def run() -> tuple[bool, str, object]:
        result = run_qualification(candidate, profile, suite_version=version)
        _, detail, evidence = campaign_outcome(result.campaign)
        detail = f"{result.fixed_cases_passed} of {len(result.selected_cases)} cases, {detail}"
        return result.qualified, detail, evidence

    return judged(f"qualify {profile} suite {version}", run)


def verdicts(candidate=CANDIDATE) -> Iterator[Verdict]:
    """Judge everything."""
    for version in BUNDLED_SUITE_VERSIONS:
        yield from judge_suite(version, candidate)
    for profile in campaign_profiles():
        for seed in SEEDS:
            yield judge_campaign(profile, seed, 10, 400, candidate)
    for profile in QUALIFICATIONS:
        for version in BUNDLED_SUITE_VERSIONS:
            yield judge_qualification(profile, version, candidate)


def main() -> int:
    seen = []
    for each in verdicts():
        seen.append(each)
        print(each, flush=True)
    failed = [each for each in seen if each.failed]
    outside = [each.case for each in seen if each.result == "out of scope"]
    print(
        f"{len(seen)} cases: {len(seen) - len(failed) - len(outside)} the same, "
        f"{len(failed)} not, {len(outside)} out of scope ({', '.join(outside)})"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
