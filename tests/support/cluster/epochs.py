"""The record that begins an epoch of a log, for tests that need any."""

from cea_exchange.cluster.log_message import EpochRecord

RECORD = EpochRecord(
    node="one",
    incarnation="c" * 32,
    log_id="a" * 32,
    base_log_seq=0,
    state_hash=7,
    code_version="0.1.0",
    schema_version=3,
    profile_hash="b" * 64,
)
