"""Settings that no daemon starts with."""

import pytest

from cea_exchange.protocol.settings import ConfigError
from cea_exchange.registry.config import config_load


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
