"""Keys: the keyring of a cache, read from where secrets are kept, and the key of this user on this host."""

from __future__ import annotations

import os

from everwarm import _native
from everwarm._errors import ConfigError

# What stands before the key of names in a text.
_NAMES = "names"


class Keyring(_native.Keyring):
    """The keys that entries are sealed with: the first one seals, the others only open.

    * ``keys``: 32 random bytes each, or a text: 64 hexadecimal digits or base64, after ``number:`` if the key
      is to have a number of yours. A number is stored in each entry, and is no secret; without one it is
      derived from the key.
    * ``names``: the key that makes the names at stores; None: the first one. Keep it while the others change.

    At most eight keys may only open. Its keys are never shown, and it is neither copied nor pickled.

    Raises ``ConfigError`` for what is no key, for a key that was not drawn at random, and for two keys of one
    number.

    >>> from everwarm import Cache, Keyring
    >>> keyring = Keyring("1: 7d8e1b5f93a64c02e5f8170b9d3c46a2f01e8b7d5c3a69e412f0d8b6c7a59e31")
    >>> keyring
    <Keyring: 1 seals>
    >>> shop = Cache(keyring=keyring)
    """

    __slots__ = ()

    @classmethod
    def from_env(cls, name):
        """The keyring in an environment variable: keys between commas, the one that seals first.

        A key after ``names:`` is that of names. Raises ``ConfigError`` if there is none.
        """
        text = os.environ.get(name)
        if not text:
            raise ConfigError(
                f"the environment variable {name}, from which a keyring is to be read, is not set\n"
                f'hint: {name}="$(python -c "import secrets; print(secrets.token_hex(32))")"'
            )
        return cls._said(f"environment {name}", text)

    @classmethod
    def from_file(cls, path):
        """The keyring in a file: a key on each line, the one that seals first; ``#`` begins a comment.

        A key after ``names:`` is that of names. Raises ``ConfigError`` if others may write the file.
        """
        try:
            with open(path, encoding="ascii") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read()
        except (OSError, UnicodeError) as error:
            raise ConfigError(
                f"the keyring in {os.fspath(path)!r} cannot be read: {type(error).__name__}\n"
                "hint: name a file of texts that this user may read"
            ) from None
        if mode & 0o022:
            raise ConfigError(
                f"others may write the keyring in {os.fspath(path)!r}\nhint: chmod go-w {os.fspath(path)!r}"
            )
        return cls._said(os.fspath(path), text)

    @classmethod
    def from_callback(cls, ask):
        """The keyring that a callable gives, which asks a service for secrets, for instance.

        It is called once, now, without arguments, and gives a text such as that of a file, the bytes of one
        key, or several of either, the one that seals first. What it raises is raised. Raises ``ConfigError``
        for anything else.

        >>> import secrets
        >>> len(Keyring.from_callback(lambda: [secrets.token_bytes(32), secrets.token_bytes(32)]).ids)
        2
        """
        given = ask()
        source = f"what {getattr(ask, '__qualname__', type(ask).__name__)} gave"
        if isinstance(given, str):
            return cls._said(source, given)
        keys = [given] if isinstance(given, (bytes, bytearray)) else given
        if not isinstance(keys, (list, tuple)):
            raise ConfigError(
                f"{source} is no key, but {type(given).__name__}\n"
                "hint: let it give 32 random bytes, a text of 64 hexadecimal digits, or a list of such"
            )
        try:
            return cls(*keys)
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None

    @classmethod
    def from_password(cls, password, *, salt):
        """The keyring of a password, by Argon2id: 64 MiB and about a tenth of a second.

        ``salt`` are at least 16 bytes, or a text of as many, that nobody else has beside their password; it
        is no secret and stays the same. Random keys are better: whoever has an entry may guess passwords.
        """
        salt = salt.encode() if isinstance(salt, str) else bytes(salt)
        return cls(_native.key_of_password(password, salt))

    @classmethod
    def from_text(cls, text):
        """The keyring of a text such as that of a file."""
        keys, names = [], None
        for line in text.replace(",", "\n").splitlines():
            line = line.partition("#")[0].strip()
            before, colon, after = line.partition(":")
            if colon and before.strip() == _NAMES:
                names = after.strip()
            elif line:
                keys.append(line)
        return cls(*keys, names=names)

    @classmethod
    def _said(cls, source, text):
        try:
            return cls.from_text(text)
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None

    def __repr__(self):
        seals, *opens = self.ids
        return f"<Keyring: {seals} seals{''.join(f', {key} opens' for key in opens)}>"


def check(keyring):
    """Raises ``ConfigError`` for what is neither a keyring nor None."""
    if keyring is not None and not isinstance(keyring, Keyring):
        raise ConfigError(
            f"keyring is a Keyring, not {type(keyring).__name__}\n"
            'hint: write `keyring=Keyring.from_env("SHOP_KEY")`; keys are not written into configuration'
        )


def of_user(outside):
    """This user's key on this host, made when it is first asked for, and in none of ``outside``.

    Raises ``ConfigError`` where it cannot be kept from others.
    """
    directory = os.path.join(_home(), "everwarm")
    path = os.path.join(directory, "pickle.key")
    for store in outside:
        if os.path.commonpath([os.path.realpath(store), os.path.realpath(path)]) == os.path.realpath(store):
            raise ConfigError(
                f"the store in {store!r} would hold the key that its pickles are sealed with\n"
                f"hint: {_LINE}, or move the store"
            )
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        _refuse_others(os.lstat(directory), directory, os.path.isdir(directory))
        return Keyring(_read(path) or _make(directory, path))
    except OSError as error:
        raise ConfigError(
            f"no key for pickles can be kept in {directory!r}: {type(error).__name__}\n"
            f"hint: {_LINE}, or let this user write there"
        ) from None


_LINE = 'write `Cache(..., keyring=Keyring.from_env("SHOP_KEY"))`'


def _home():
    said = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(said):
        return said
    return os.path.join(os.path.expanduser("~"), ".local", "share")


def _refuse_others(found, path, right):
    """Raises if ``path`` is another user's, may be used by others, or is not of the ``right`` kind."""
    owner = getattr(os, "geteuid", lambda: found.st_uid)()
    if not right or found.st_uid != owner or found.st_mode & 0o077:
        raise ConfigError(
            f"{path!r} is not this user's alone, so no key for pickles is kept there\n"
            f"hint: {_LINE}, or make it this user's, with nothing allowed to others"
        )


def _read(path):
    """The bytes of the key; None if it is not there."""
    import stat

    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        opened = os.open(path, flags)
    except FileNotFoundError:
        return None
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        _refuse_others(found, path, stat.S_ISREG(found.st_mode))
        return file.read(33)


def _make(directory, path):
    """Makes the key, unless another process is faster; its bytes."""
    import secrets

    draft = os.path.join(directory, f".{secrets.token_hex(8)}")
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(os.urandom(32))
            file.flush()
            os.fsync(opened)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
    finally:
        os.unlink(draft)
    return _read(path)
