"""Who is let in to a console: whoever has the address that was printed, once; then its cookie.

    http://127.0.0.1:PORT/enter?token=...  ->  cookie, HttpOnly, SameSite=Strict  ->  pages
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

TOKEN_BYTES = 32
SESSIONS_MAX = 32
SESSION_S = 12 * 3600


class Door:
    """Tokens, sessions, and the mark that a session's forms carry.

    Parameters
    ----------
    cookie
        The cookie's name; ports share cookies, so it has the port in it.
    show
        Is given each new token: when one is used up, the next is shown where the first was.
    """

    def __init__(self, cookie: str, show: Callable[[str], None]) -> None:
        self.cookie = cookie
        self._show = show
        self._secret = secrets.token_bytes(TOKEN_BYTES)
        self._sessions: OrderedDict[str, None] = OrderedDict()
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
        self._sessions[_digest(session)] = None
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        self.renew()
        return session

    def knows(self, session: str) -> bool:
        """Whether it is a session's cookie."""
        return _digest(session) in self._sessions

    def mark(self, session: str) -> str:
        """Return what the session's own forms carry, and no other page can know."""
        return hmac.new(self._secret, session.encode(), hashlib.sha256).hexdigest()

    def is_marked(self, session: str, mark: str) -> bool:
        """Whether a form is the session's own."""
        return hmac.compare_digest(self.mark(session).encode(), mark.encode())


def _digest(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()
