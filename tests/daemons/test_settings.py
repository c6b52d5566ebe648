"""Settings that no daemon starts with."""

import pytest

from cea_exchange.protocol.settings import ConfigError
from cea_exchange.registry.config import config_load
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.config import config_load as venue_config_load


@pytest.mark.parametrize("port", [0, 9999, 10_000, 59_999, 65_499, 65_529, 65_535])
def test_every_port_there_is_may_be_named(tmp_path, port):
    config = tmp_path / "registry.toml"
    config.write_text(f'admin = "tcp://127.0.0.1:{port}"\nmetrics = "127.0.0.1:{port}"\n')
    assert f"tcp://127.0.0.1:{port}" == config_load(config).admin


@pytest.mark.parametrize("port", [65_536, 66_000, 70_000, 99_999, 100_000, ""])
def test_a_port_that_there_is_not_is_refused(tmp_path, port):
    """99999 would have become 34463."""
    config = tmp_path / "registry.toml"
    for line in (f'admin = "tcp://127.0.0.1:{port}"', f'metrics = "127.0.0.1:{port}"'):
        config.write_text(line)
        with pytest.raises(ConfigError, match=r"registry\.toml: \w+: expected one such as"):
            config_load(config)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('gatway = "tcp://127.0.0.1:1"', "gatway: no such setting; did you mean gateway?"),
        ('kind = "manual"', "kind: no such setting; there are admin, admin_keys, archive, "),
        ("[clock]\nkid = 1", "clock.kid: no such setting; did you mean kind?"),
        (
            'settlement = "127.0.0.1:1"',
            'settlement: expected one such as "tcp://127.0.0.1:5501" or '
            '"ipc:///run/cea-exchange/feed",'
            " got '127.0.0.1:1'",
        ),
        ('metrics = "0.0.0.0:1"', 'metrics: expected one such as "127.0.0.1:9464", got'),
        (
            'second_logon = "both"',
            'second_logon: expected one of "refuse", "take_over", got \'both\'',
        ),
        (
            '[[operators]]\nname = "an"\nkey = "k"\nrole = "boss"',
            'operators[0].role: expected one of "operator", "regulator", got \'boss\'',
        ),
        ("fronts = 65", "fronts: expected `int` <= 64"),
        ("fronts = 2.0", "fronts: expected `int`, got `float`"),
        ("[lag]\nwarn = [1]", "lag.warn: expected `array` of length 2, got 1"),
    ],
)
def test_a_mistake_is_told_with_what_would_be_right(tmp_path, line, said):
    config = tmp_path / "venue.toml"
    config.write_text(line)
    with pytest.raises(ConfigError) as raised:
        venue_config_load(config)
    assert str(raised.value).startswith(f"{config}: {said}")


@pytest.mark.parametrize("place", ["", ".", "journal", "journal/old", "x/../events", "snapshots"])
def test_an_archive_among_other_files_is_refused(tmp_path, place):
    """Its manifest would be a file in the journal that is no segment: nothing would start again."""
    config = VenueConfig(archive=f"{tmp_path}/{place}")
    with pytest.raises(ConfigError, match="archive: expected a folder of its own, got"):
        config.archive_folder(tmp_path)


@pytest.mark.parametrize("place", ["archive", "journals", "../elsewhere"])
def test_an_archive_may_be_anywhere_else(tmp_path, place):
    config = VenueConfig(archive=f"{tmp_path}/{place}")
    assert config.archive_folder(tmp_path) == tmp_path / place
    assert VenueConfig().archive_folder(tmp_path) == tmp_path / "archive"
