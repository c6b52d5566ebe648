"""Who may act upon a daemon: names, keys and roles, as both daemons' settings give them."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from cea_exchange.domain.look_alikes import look_alike
from cea_exchange.domain.naming import is_one_line, plain_name_check
from cea_exchange.protocol.control import Name
from cea_exchange.protocol.security import (
    CurveKeys,
    SecurityError,
    key_check,
    public_key_load,
    public_key_read,
    secret_key_read,
)


class OperatorSetting(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One entry of ``[[operators]]``.

    Attributes
    ----------
    name
        The person's; what is journaled. One person may have several keys.
    key
        The public key, 40 z85 characters, or the file it is in, relative to the data folder.
    role
        ``operator`` may act; ``regulator`` may only look.
    """

    name: Name
    key: Annotated[str, msgspec.Meta(min_length=1)]
    role: Literal["operator", "regulator"] = "operator"

    def __post_init__(self) -> None:
        # It is printed with what its bearer did; and "an " would be a second person beside "an".
        if not is_one_line(self.name) or self.name != self.name.strip():
            raise ValueError(f"name: expected one line without blanks around, got {self.name!a}")
        plain_name_check(self.name)


class Operator(msgspec.Struct, frozen=True):
    """Who a key of the admin socket stands for."""

    name: str
    key: str
    role: str = "operator"

    @property
    def may_act(self) -> bool:
        """Whether it may do more than look."""
        return self.role == "operator"


def operators_by_key(
    settings: tuple[OperatorSetting, ...], admin_keys: tuple[str, ...] | None, data: Path
) -> dict[str, Operator]:
    """Return the operators of a daemon's settings by public key.

    Parameters
    ----------
    settings
        The entries of ``[[operators]]``.
    admin_keys
        Keys of one more operator, named ``admin``; None takes the one in ``DIR/keys/admin.public``
        where there are no entries.
    data
        The data folder.

    Raises
    ------
    SecurityError
        A key file can't be read, a key stands for two, a person has two roles, two have names that
        look alike, or there is nobody.

    Notes
    -----
    Rules: CEA-OPR-01, CEA-PER-04.
    """
    if admin_keys is None:
        admin_keys = () if settings else (public_key_load(data / "keys", "admin"),)
    settings += tuple(OperatorSetting(name="admin", key=key) for key in admin_keys)
    found: dict[str, Operator] = {}
    roles: dict[str, str] = {}
    for setting in settings:
        key = _public_key(setting.key, data)
        if key in found:
            names = f"{found[key].name} and {setting.name}"
            raise SecurityError(f"operators: expected a key for each, got one for {names}")
        if roles.setdefault(setting.name, setting.role) != setting.role:
            raise SecurityError(f"operators: expected one role for {setting.name}, got two")
        for other in roles:
            # One person of two names could be his own second.
            if other != setting.name and look_alike(other, setting.name):
                raise SecurityError(
                    "operators: expected names that do not look alike, got"
                    f" {other!r} and {setting.name!r} (CEA-PER-04)"
                )
        found[key] = Operator(setting.name, key, setting.role)
    if not found:
        raise SecurityError("operators, admin_keys: expected somebody's key, both are empty")
    return found


def operator_pair(data: Path, key: Path | str) -> CurveKeys:
    """Return an operator's key pair: a name in ``DIR/keys``, or a path without its suffix.

    Raises
    ------
    SecurityError
        There is none, or others may read its secret half.
    """
    key = Path(key)
    return CurveKeys.load(data / "keys" if key == Path(key.name) else key.parent, key.name)


def _public_key(text: str, data: Path) -> str:
    try:
        key_check(text, "operators")
    except ValueError:
        return public_key_read(data / text)
    return text


def two_operators(
    operators: dict[str, Operator], first: Path, second: Path
) -> tuple[Operator, Operator]:
    """Return the two persons whose secret keys are in two files.

    Raises
    ------
    SecurityError
        A file holds no secret key, its public half is no operator's, or both are one person's.

    Notes
    -----
    Whoever has the secret key is the person, as on the admin socket. Rules: CEA-OPR-02.
    """
    found = []
    for path in (first, second):
        operator = operators.get(secret_key_read(path).public)
        if operator is None or not operator.may_act:
            got = "a stranger's" if operator is None else f"the {operator.role}'s {operator.name}"
            raise SecurityError(f"{path}: expected an operator's secret key, got {got}")
        found.append(operator)
    if found[0].name == found[1].name:
        raise SecurityError(f"{second}: expected another person's key, got {found[0].name}'s too")
    return found[0], found[1]
