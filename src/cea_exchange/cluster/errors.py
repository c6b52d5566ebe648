"""What can be wrong with a cluster."""


class ClusterRefused(Exception):
    """This node does not belong to that log, or the log is not as it was: nothing starts."""


class UserRefused(ClusterRefused):
    """The log's nodes do not know this user, or not by this secret."""


class LogDamaged(ClusterRefused):
    """A message of the log is not as it was written, or does not follow the one before.

    Parameters
    ----------
    log_seq : int
        Its number in the log.
    what : str
        What was expected and what was found.
    """

    def __init__(self, log_seq: int, what: str) -> None:
        super().__init__(f"message {log_seq} of the log: {what}")
        self.log_seq = log_seq


class Halted(Exception):
    """A standby's market or journal is not the log's any more; it must not lead."""


class LogUnreachable(Exception):
    """No node of the log answers, or too few of them are up; it may pass."""
