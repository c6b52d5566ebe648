"""Logs what participants of a venue sent and were reported, row by row, to audit a run."""

from collections import defaultdict
from pathlib import Path

from cea_exchange.client.reports import Report, report_row

SENT_FILE, REPORTS_FILE, ACCOUNT_FILE = "sent.rows", "reports.rows", "account"


class VenueLog:
    """Rows of some participants: Command records and Event records, as they are on the wire."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sent: defaultdict[int, list[bytes]] = defaultdict(list)
        self._reports: defaultdict[int, list[Report]] = defaultdict(list)

    def sent(self, participant: int, record: bytes) -> None:
        """Note a command."""
        self._sent[participant].append(record)

    def reported(self, participant: int, report: Report) -> None:
        """Note a report."""
        self._reports[participant].append(report)

    def write(self, accounts: dict[int, int]) -> None:
        """Write a folder for each participant, with its account index."""
        for participant, account in accounts.items():
            folder = self._folder / f"participant-{participant:04d}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / SENT_FILE).write_bytes(b"".join(self._sent[participant]))
            rows = map(report_row, self._reports[participant])
            (folder / REPORTS_FILE).write_bytes(b"".join(rows))
            (folder / ACCOUNT_FILE).write_text(str(account))
