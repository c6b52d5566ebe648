"""The bench of serials' ways says nothing that was not held against what it noted itself."""

import sys

import pytest

from support.places import ROOT

sys.path.insert(0, str(ROOT))  # bench/ is no part of the package

from bench.ccer import Pedigrees


@pytest.mark.parametrize("spoilt", ["", "a way", "a lot"])
def test_a_few_thousand_moves_come_out_and_spoilt_ones_are_noticed(tmp_path, spoilt):
    """CCER-LOT-04: of thousands of lots too, each serial's way is its moves."""
    bench = Pedigrees(tmp_path, None, moves=3_000, seed=1)
    with bench.ccer:
        bench.build()
        store = bench.ccer.store
        if spoilt == "a way":
            samples = bench._samples[0]
            samples.ways[samples.serials[0]].append((32, 0))
            with pytest.raises(AssertionError, match="expected"):
                bench.asked()
        elif spoilt == "a lot":
            last = "SELECT max(lot_id) FROM lots"
            store.execute(f"UPDATE lots SET serial_last = serial_last - 1 WHERE lot_id = ({last})")
            with pytest.raises(AssertionError, match="audit"):
                bench.audit()
        else:
            took_ms, lengths = bench.asked()
            assert len(took_ms) == 2_000 and max(lengths) > 10
            assert len(bench.found()) == 500
            assert bench.audit() >= 0
