"""Who is let in to a console: whoever has the address that was printed, once; then its cookie.

http://127.0.0.1:PORT/enter?token=...  ->  cookie, HttpOnly, SameSite=Strict  ->  pages
"""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

TOKEN_BYTES = 32
SESSIONS_MAX = 32
SESSION_S = 12 * 3600
"""Seconds after which a session ends: a working day."""
IDLE_S = 3600
"""Seconds without a request after which a session ends: a long lunch. A page that is open asks
for nothing by itself; what it is sent live does not count."""


@dataclass
class _Session:
    """When a session began and when its last request came, in seconds of `now_s`."""

    began_s: float
    seen_s: float

    def is_over(self, now_s: float) -> bool:
        return now_s >= self.began_s + SESSION_S or now_s >= self.seen_s + IDLE_S


class Door:
    """Tokens, sessions, and the mark that a session's forms carry.

    Parameters
    ----------
    cookie
        The cookie's name; ports share cookies, so it has the port in it.
    show
        Is given each new token: when one is used up, the next is shown where the first was.
    now_s
        A clock that never goes back.
    """

    def __init__(
        self,
        cookie: str,
        show: Callable[[str], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cookie = cookie
        self._show = show
        self._now_s = now_s
        self._secret = secrets.token_bytes(TOKEN_BYTES)
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._token = ""
        self.renew()

    def renew(self) -> None:
        """Make a new token and show it; the one before opens nothing any more."""
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        self._show(self._token)

    def enter(self, token: str) -> str | None:
        """Return a new session for the token, which is used up then; None for any other."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        session = secrets.token_urlsafe(TOKEN_BYTES)
        now_s = self._now_s()
        self._sessions[_digest(session)] = _Session(now_s, now_s)
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        self.renew()
        return session

    def request(self, session: str) -> bool:
        """Take a request; return whether its cookie is that of a session that goes on."""
        if not self.lasts(session):
            return False
        self._sessions[_digest(session)].seen_s = self._now_s()
        return True

    def lasts(self, session: str) -> bool:
        """Return whether a session goes on; one that is over is dropped."""
        digest = _digest(session)
        found = self._sessions.get(digest)
        if found is not None and found.is_over(self._now_s()):
            del self._sessions[digest]
            found = None
        return found is not None

    def leave(self, session: str) -> None:
        """End a session; its cookie opens nothing any more."""
        self._sessions.pop(_digest(session), None)

    def mark(self, session: str) -> str:
        """Return what the session's own forms carry, and no other page can know."""
        return hmac.new(self._secret, session.encode(), hashlib.sha256).hexdigest()

    def is_marked(self, session: str, mark: str) -> bool:
        """Whether a form is the session's own."""
        return hmac.compare_digest(self.mark(session).encode(), mark.encode())


def _digest(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()
