"""An archive's daemon, and its page of the command line: all that an institution has to bring."""

from collections.abc import Callable
from typing import Any, ClassVar

from cea_exchange.cli.acts.institution import institution_asker, rows_of
from cea_exchange.cli.daemons.institution import InstitutionCommands
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.clock import GivenClock, InstitutionClock
from cea_exchange.institution.config import InstitutionConfig
from cea_exchange.institution.control.admin_client import AdminClient
from cea_exchange.institution.control.query_worker import LookSettings
from cea_exchange.institution.control.request import Request
from cea_exchange.institution.control.service import InstitutionService
from cea_exchange.institution.daemon import InstitutionDaemon
from cea_exchange.institution.machine import InstitutionMachine
from cea_exchange.institution.persons import Person
from support.institution.archive import ARCHIVE_SCHEMA, ArchiveStore
from support.institution.archive_requests import ARCHIVE_REQUESTS
from support.institution.archive_services import Archive


class ArchiveService(InstitutionService[Request]):
    """Answers what an archive is asked."""

    requests = ARCHIVE_REQUESTS


class ArchiveConfig(InstitutionConfig, kw_only=True):
    """An archive's settings."""

    institution = ARCHIVE_SCHEMA.institution
    requests = ARCHIVE_REQUESTS


def opened(settings: LookSettings, now_ns: Callable[[], int]) -> ArchiveService:
    """Return the service upon an archive that is open for reading."""
    store = ArchiveStore.open_reader(settings.data, settings.database)
    archive = Archive(store, GivenClock(now_ns))
    archive.persons.operators = settings.operators
    return ArchiveService(archive)


class ArchiveMachine(InstitutionMachine):
    """An archive without its sockets."""

    def __init__(
        self,
        store: ArchiveStore,
        clock: InstitutionClock,
        config: ArchiveConfig,
        operators: dict[str, Person],
        place: Callable[[], dict[str, Any]],
    ) -> None:
        archive = Archive(store, clock)
        archive.persons.operators = operators
        service = ArchiveService(
            archive,
            second_person=config.second_person,
            proposal_s=config.proposal_s,
            place=self.place,
        )
        super().__init__(service, clock, place=place)


class ArchiveDaemon(InstitutionDaemon[ArchiveConfig, ArchiveStore, ArchiveMachine]):
    """A running archive."""

    store_class = ArchiveStore
    opener = f"{__name__}:opened"

    def machine_made(self, operators: dict[str, Person]) -> ArchiveMachine:
        """Return the machine upon the store."""
        return ArchiveMachine(self._store, self._clock, self._config, operators, self.place)


ARCHIVE = AdminClient("archive", InstitutionRefusal)


class ArchiveCommands(InstitutionCommands):
    """An archive's commands."""

    asker = institution_asker("archive", lambda: ARCHIVE, {"document_list": rows_of("documents")})
    help = "Documents."
    panels: ClassVar = {"The daemon": ("serve", "check", "status", "stop")}
    groups: ClassVar = {"document": "What is kept."}

    def requests(self) -> Any:
        return ARCHIVE_REQUESTS

    def config_class(self) -> Any:
        return ArchiveConfig

    def store_class(self) -> Any:
        return ArchiveStore

    def daemon_class(self) -> Any:
        return ArchiveDaemon
