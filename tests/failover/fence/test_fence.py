"""The log's fence: with it nothing acknowledged is lost; without it much is, and it is noticed."""

import pytest

from cea_exchange.loadtest.stands.cluster_audit import replica_differences
from failover.fence.control_run import ROUNDS, ControlRun
from failover.fence.history import Verdict, history_check
from failover.fence.stub_run import StubRun
from failover.fence.until_lost import attempts_run

pytestmark = [pytest.mark.e2e, pytest.mark.crash]


def test_fenced_leaders_lose_nothing(tmp_path):
    run = StubRun(tmp_path, seed=1)
    run.run(2, ("freeze", "kill"))
    assert run.verdict.passed, str(run.verdict)
    assert run.verdict.acknowledged > 500
    assert run.epochs >= 3


def test_the_control_without_a_fence_loses_and_the_checker_says_so(tmp_path):
    def attempt(seed):
        folder = tmp_path / str(seed)
        folder.mkdir()
        run = StubRun(folder, seed=seed, is_fenced=False)
        run.run(2, ("freeze", "freeze"))
        return run.verdict

    made = attempts_run(attempt, lambda found: not found.lost, seed=1, is_fenced=False)
    assert made.is_as_expected, made


@pytest.mark.nightly
@pytest.mark.parametrize("is_fenced", [True, False])
def test_the_venue_s_own_fence_is_what_keeps_it_from_losing(tmp_path, is_fenced):
    def attempt(seed):
        folder = tmp_path / str(seed)
        folder.mkdir()
        run = ControlRun(folder, seed=seed, is_fenced=is_fenced)
        losses = run.run()
        # It ends as one that is to be started again, and not because it was told to. Without a
        # fence it may hear of it from its registry first, which has settled more than it has.
        assert run.statuses == [3] * ROUNDS or (not is_fenced and set(run.statuses) <= {1, 3})
        assert losses.acknowledged > 300
        assert losses.differences == []
        return losses

    def is_lossless(losses):
        return losses.is_lossless if is_fenced else not losses.lost

    made = attempts_run(attempt, is_lossless, seed=1, is_fenced=is_fenced)
    assert made.is_as_expected, made


LOG = [(0, 1), (1, 1), (0, 2)]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("answers", "log", "expected"),
    [
        ({0: [(1, 0), (2, 2)], 1: [(1, 1)]}, LOG, Verdict(acknowledged=3)),
        ({0: [(3, 3)]}, LOG, Verdict(acknowledged=1, lost=1)),
        ({0: [(2, 1)]}, LOG, Verdict(acknowledged=1, misplaced=1)),
        ({0: [(1, 0), (1, 5)]}, LOG, Verdict(acknowledged=1, conflicting=1)),
        ({0: [(1, 0), (1, 0)]}, LOG, Verdict(acknowledged=1)),
        ({}, [*LOG, (0, 1)], Verdict(doubled=1)),
    ],
)
def test_the_checker_finds_each_kind_of_loss(answers, log, expected):
    assert history_check(answers, log) == expected


@pytest.mark.unit
def test_replicas_that_differ_or_end_early_are_named():
    found = list(replica_differences({"a": [b"1", b"2"], "b": [b"1", b"3"], "c": [b"1"]}))
    assert found == [
        "message 2 of b is not that of a",
        "c has 1 messages, a 2",
    ]
