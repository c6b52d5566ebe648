"""Signatures: whose words they are, to anybody who has the public half of the key.

CURVE tells the two ends of a connection who speaks, and nobody else, nor afterwards. What must be
proved to a third one is signed besides, with Ed25519. The signing key follows from the secret half
of a daemon's CURVE keys and what it signs, so there is no other secret to keep.
"""

from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEED_BYTES = 32
KEY_FORM = "^[0-9a-f]{64}$"


class SigningKey:
    """A key that signs.

    Parameters
    ----------
    seed
        32 secret bytes.

    Attributes
    ----------
    public : str
        Its public half, 64 hexadecimal digits.
    """

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw().hex()

    @classmethod
    def of(cls, secret: str, purpose: str) -> Self:
        """Return the key by which the owner of a secret key signs for a purpose."""
        derivation = HKDF(SHA256(), SEED_BYTES, salt=None, info=purpose.encode())
        return cls(derivation.derive(secret.encode()))

    def sign(self, message: bytes) -> str:
        """Return the signature of a message, 128 hexadecimal digits."""
        return self._key.sign(message).hex()


def is_signed(public: str, signature: str, message: bytes) -> bool:
    """Tell whether a message has this signature by this key, whatever the two may be."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
