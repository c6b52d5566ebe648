"""Cells on Ray come to the same bytes, and what a worker breaks is named."""

import pytest

from support.sweep.small import files_of, plan_at, swept

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]


def test_ray_and_local_processes_come_to_the_same_bytes(tmp_path):
    """Stopped, and gone on by the other."""
    plan = plan_at(tmp_path)
    _, local = swept(tmp_path / "local", plan, processes=1)
    standing, _ = swept(tmp_path / "ray", plan, executor="ray", cells_max=3)
    assert standing.played == 3 and standing.failed == 0
    _, by_both = swept(tmp_path / "ray", plan)
    assert by_both.hash == local.hash
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "local")
    executors = [line.split(",")[1] for line in (tmp_path / "ray" / "played.csv").open()]
    assert executors == ["ray"] * 3 + ["local"]
