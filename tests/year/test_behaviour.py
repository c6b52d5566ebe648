"""What a year may have otherwise: its firms' behaviour, and the share of CCERs."""

import msgspec
import pytest

from cea_exchange.cli.main import run as command
from cea_exchange.year.run import YearRun
from support.year.small import SMALL, options, played
from support.year.tables import table_rows

pytestmark = pytest.mark.slow

SHARE_BP = 10


def test_all_offset_within_the_authoritys_share_and_nothing_is_sold_by_bidding(tmp_path):
    """CEA-ADJ-04, CEA-OFS-01: to the tonne, of each who lacked any."""
    behaviour = {"offset_one_in": 1, "auction_share_bp": 0, "negligent_one_in": 1_000_000}
    setting = msgspec.structs.replace(SMALL, offset_share_bp=SHARE_BP, behaviour=behaviour)
    outcome = played(tmp_path / "out", setting)
    assert outcome.agrees
    offset = [
        (int(row["offset_tonnes"]), int(row["due_tonnes"]) * SHARE_BP // 10_000)
        for row in table_rows(tmp_path / "out", "entities")
        if int(row["offset_tonnes"])
    ]
    assert len(offset) > 1 and all(0 < tonnes <= most for tonnes, most in offset)
    assert any(tonnes == most for tonnes, most in offset)
    assert outcome.figures.biddings == 0


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["--behaviour", "sold_bp"], "--behaviour: expected NAME=WHOLE NUMBER, got 'sold_bp'"),
        (["--behaviour", "sold_bp=10001"], "Expected `int` <= 10000"),
        (["--behaviour", "patience=3"], "expected fields of sold_bp, auction_share_bp, "),
        (["--firms", "frugal_firms:FrugalFirms", "--behaviour", "a=1"], "expected fields of none"),
        (["--offset-share", "501"], "expected at most the rule's 500 (CEA-OFS-01), got 501"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, capfd, monkeypatch, typed, words):
    monkeypatch.syspath_prepend("examples")
    assert command(["year", *options(SMALL), "--out", str(tmp_path / "out"), *typed]) == 2
    assert words in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_behaviour_that_is_left_out_is_the_rules(tmp_path):
    setting = msgspec.structs.replace(SMALL, behaviour={"sold_bp": 4_000})
    assert YearRun(tmp_path / "a", setting).behaviour.behaviour == (
        YearRun(tmp_path / "b", SMALL).behaviour.behaviour
    )
