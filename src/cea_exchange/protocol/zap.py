"""Answers libzmq when it asks whether a key may connect (ZAP); what is answered says `security`."""

from zmq.auth.thread import ThreadAuthenticator


class Authenticator(ThreadAuthenticator):
    """A ZAP handler that can say "not now" (status 300) besides "never" (400)."""

    may_come_again = False

    def _send_zap_reply(
        self, request_id: bytes, status_code: bytes, status_text: bytes, user_id: str = ""
    ) -> None:
        if status_code == b"400" and self.may_come_again:
            status_code = b"300"
        self.may_come_again = False
        super()._send_zap_reply(request_id, status_code, status_text, user_id)
