"""Settings that no daemon starts with."""

import pytest

from cea_exchange.protocol.settings import ConfigError
from cea_exchange.registry.config import config_load
from cea_exchange.venue.config import VenueConfig


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
        with pytest.raises(ConfigError, match=r"registry\.toml: .*regex"):
            config_load(config)


@pytest.mark.parametrize("place", ["", ".", "journal", "journal/old", "x/../events", "snapshots"])
def test_an_archive_among_other_files_is_refused(tmp_path, place):
    """Its manifest would be a file in the journal that is no segment: nothing would start again."""
    config = VenueConfig(archive=f"{tmp_path}/{place}")
    with pytest.raises(ConfigError, match="archive: expected a folder of its own, came"):
        config.archive_folder(tmp_path)


@pytest.mark.parametrize("place", ["archive", "journals", "../elsewhere"])
def test_an_archive_may_be_anywhere_else(tmp_path, place):
    config = VenueConfig(archive=f"{tmp_path}/{place}")
    assert config.archive_folder(tmp_path) == tmp_path / place
    assert VenueConfig().archive_folder(tmp_path) == tmp_path / "archive"
