"""Keeps every profile a venue has run under beside its journal: DIR/profiles/HASH.toml.

The journal's segments name profiles by hash, and old ones can only be replayed by their own rules.
Files are added and never changed or removed.
"""

from pathlib import Path

from cea_exchange.domain.profile import (
    Profile,
    ProfileError,
    load_profile,
    profile_names,
    profile_parse,
)
from cea_exchange.journal import JournalError, Storage
from cea_exchange.journal.storage import create_whole

PROFILES_FOLDER = "profiles"


def profile_path(directory: Path, profile_hash: str) -> Path:
    """Return where a data folder keeps the profile of a hash."""
    return Path(directory) / PROFILES_FOLDER / f"{profile_hash}.toml"


def profile_keep(directory: Path, profile: Profile, storage: Storage) -> None:
    """Put a profile on the shelf, unless it is there; after a crash it is whole or not there.

    Raises
    ------
    OSError
        The disk has no room.
    """
    path = profile_path(directory, profile.profile_hash())
    if path.name in storage.names(path.parent):
        return
    storage.make_directory(path.parent)
    create_whole(storage, path, profile.text.encode()).close()


def profile_find(
    directory: Path, profile_hash: str, storage: Storage, *, given: Profile | None = None
) -> Profile:
    """Return the profile of a hash: the one given, the shelf's, or one of the package.

    Raises
    ------
    JournalError
        If there is none, or the shelf's file reads as another: a journal can't be replayed by
        other rules than its own.
    """
    if given is not None and given.profile_hash() == profile_hash:
        return given
    path = profile_path(directory, profile_hash)
    place = f"{PROFILES_FOLDER}/{path.name}"
    if path.name in storage.names(path.parent):
        try:
            profile = profile_parse(storage.read(path).decode(), place)
        except (ProfileError, UnicodeDecodeError) as error:
            raise JournalError(place, 1, str(error)) from error
        if profile.profile_hash() != profile_hash:
            found = profile.profile_hash()
            raise JournalError(place, 1, f"expected profile {profile_hash}, got {found}")
        return profile
    for name in profile_names():
        profile = load_profile(name)
        if profile.profile_hash() == profile_hash:
            return profile
    known = ", ".join([*([given.name] if given else []), *profile_names()])
    raise JournalError(place, 1, f"expected a profile kept or of {known}, got {profile_hash}")
