"""The 32 provinces."""

from cea_exchange.domain.provinces import PROVINCES


def test_there_are_32_each_with_its_code_and_names():
    assert len(PROVINCES) == 32
    assert all(code == province.code for code, province in PROVINCES.items())
    for field in ("code", "name", "term"):
        assert len({getattr(province, field) for province in PROVINCES.values()}) == 32
    assert list(PROVINCES) == sorted(PROVINCES)


def test_codes_are_those_of_the_standard_and_66_is_the_corps():
    assert PROVINCES[11].term == "北京市"
    assert PROVINCES[14].name == "Shanxi" and PROVINCES[61].name == "Shaanxi"
    assert PROVINCES[65].term == "新疆维吾尔自治区"
    assert PROVINCES[66].term == "新疆生产建设兵团"
    # The first digit is the region: north, north-east, east, central south, south-west, north-west.
    regions = [sum(code // 10 == region for code in PROVINCES) for region in range(1, 7)]
    assert regions == [5, 3, 7, 6, 5, 6]
