"""Answers requests, for every daemon alike: who asks, whether they may, look or act.

    key -> person -> request -> may this role ask this? -> look: answer
                                                        -> act: do it, keep it
                                                        -> act of two: keep it until a second agrees
"""

from abc import ABC, abstractmethod
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from cea_exchange.control_plane.answers import Answer
from cea_exchange.control_plane.requests import Request, Requests


class Person(Protocol):
    """Who a key stands for."""

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> str: ...

    @property
    def role(self) -> str: ...


P = TypeVar("P", bound=Person)
R = TypeVar("R", bound=Request)


class Asked(NamedTuple, Generic[P, R]):
    """Who asks for what, and may."""

    person: P
    request: R
    by: str


class Reply(NamedTuple):
    """What is answered.

    Attributes
    ----------
    answer
        What was done or found, or why nothing was.
    by
        Who asked, for the log.
    request
        What was asked, None if it was no request.
    """

    answer: Answer
    by: str
    request: Request | None

    @property
    def is_look(self) -> bool:
        """Whether nothing was to change."""
        return self.request is not None and self.request.is_look


class Service(ABC, Generic[P, R]):
    """Answers what comes over a control socket; a daemon says what of it is its own.

    Parameters
    ----------
    requests
        What may be asked.
    """

    def __init__(self, requests: Requests[R]) -> None:
        self.requests = requests

    # -- what is the daemon's own -----------------------------------------------------------------

    @abstractmethod
    def person_of(self, key: str) -> P:
        """Return who a key stands for; raises a refusal for a stranger's."""

    def read(self, payload: bytes) -> R:
        """Return the request in a message; raises a refusal where it is none."""
        return self.requests.decode(payload)

    @abstractmethod
    def role_refusal(self, person: P, request: R) -> Exception:
        """Return what is raised where a role may not ask something."""

    @abstractmethod
    def look(self, person: P, request: R) -> dict[str, Any]:
        """Answer what changes nothing."""

    @abstractmethod
    def act(self, person: P, request: R) -> dict[str, Any]:
        """Do what is asked, or keep it for a second person."""

    @abstractmethod
    def refusal(self, error: Exception, by: str, request: R | None) -> Answer:
        """Return the answer to what was refused; raises again what is the daemon's business."""

    def named(self, person: P) -> str:
        """Return how the log names somebody."""
        return person.name

    # -- what is everybody's ----------------------------------------------------------------------

    def reply(self, key: str, payload: bytes) -> Reply:
        """Carry out what the holder of a key asks, or say why not."""
        asked = self.asked(key, payload)
        return asked if isinstance(asked, Reply) else self.carry_out(asked)

    def asked(self, key: str, payload: bytes) -> Asked[P, R] | Reply:
        """Return who asks for what; or the refusal where it is no request, or is not for him."""
        by = ""
        request: R | None = None
        try:
            person = self.person_of(key)
            by = self.named(person)
            request = self.read(payload)
            self.check(person, request)
        except Exception as error:
            return Reply(self.refusal(error, by, request), by, request)
        return Asked(person, request, by)

    def carry_out(self, asked: Asked[P, R]) -> Reply:
        """Carry out what somebody asks who may, or say why not."""
        person, request, by = asked
        try:
            done = self.look if request.is_look else self.act
            answer = Answer(done(person, request))
        except Exception as error:
            answer = self.refusal(error, by, request)
        return Reply(answer, by, request)

    def check(self, person: P, request: R) -> None:
        """Refuse what a person may not ask; what no role was given is refused."""
        if person.role not in request.roles:
            raise self.role_refusal(person, request)
