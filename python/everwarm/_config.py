"""What a cache takes where it was told nothing, and from where.

A setting is one line of ``SETTINGS``. A layer is a dict from names of settings to what they are and where
that was taken from; a cache is filled from the first layer that says something: its own arguments,
``configure``, the environment, ``pyproject.toml``, the defaults.
"""

from __future__ import annotations

import os

from everwarm import _keyring, _native, _options, _tiers, _url
from everwarm._errors import ConfigError, Error, UnknownOption, Unsupported
from everwarm._load import ready
from everwarm._result import _Frozen


class Taken(_Frozen):
    """The value of a field, and where it was taken from."""

    __slots__ = ("value", "source")


class Setting:
    """A field that configuration may say: how it is called, read from text, and checked."""

    __slots__ = ("check", "default", "of_memory", "read", "variable")

    def __init__(self, variable, default, check, read=str, of_memory=False):
        self.variable = variable
        self.default = default
        self.check = check
        self.read = read
        # Whether it is an option of `memory://` too.
        self.of_memory = of_memory


def _check_text(namespace):
    if not isinstance(namespace, str):
        raise ConfigError(
            f'namespace is a text, not {type(namespace).__name__}\nhint: write `namespace="shop"`'
        )


def _check_flag(disabled):
    if not isinstance(disabled, bool):
        raise ConfigError(
            f"disabled is True or False, not {type(disabled).__name__}\nhint: write `disabled=True`"
        )


def _or_none(read):
    """As ``read``, of a text that may be ``none``, which lifts what a later layer says."""
    return lambda text: None if text.strip().lower() == "none" else read(text)


def _read_number(text):
    try:
        return int(text)
    except ValueError:
        raise ConfigError("this is no whole number\nhint: write digits, such as 10000, or none") from None


def _read_size(text):
    return int(text) if text.isdigit() else text


SETTINGS = {
    "stores": Setting("URL", "memory://", lambda stores: _tiers.memory(stores, MEMORY_OPTIONS)),
    "namespace": Setting("NAMESPACE", "", _check_text),
    "max_entries": Setting(
        "MAX_ENTRIES",
        10_000,
        # None is meant where there is a bound of bytes.
        lambda bound: bound is None or _native.check_bounds(bound, None, "adaptive"),
        _or_none(_read_number),
        of_memory=True,
    ),
    "max_bytes": Setting(
        "MAX_BYTES",
        None,
        lambda bound: _native.size("max_bytes", bound),
        _or_none(_read_size),
        of_memory=True,
    ),
    "eviction": Setting(
        "EVICTION", "adaptive", lambda order: _native.check_bounds(1, None, order), of_memory=True
    ),
    "ttl": Setting("TTL", None, _native.seconds, _or_none(_url.duration)),
    "disabled": Setting("DISABLED", False, _check_flag, _url.flag),
    "keyring": Setting("KEY", None, _keyring.check, _keyring.Keyring.from_text),
}

MEMORY_OPTIONS = tuple(name for name, setting in SETTINGS.items() if setting.of_memory)

_PREFIX = "EVERWARM_"

# Variables that are no settings: they tell the project's own tests where to look.
_EXEMPT = frozenset({"EVERWARM_TRACES"})

_DEFAULTS = {name: Taken(value=setting.default, source="default") for name, setting in SETTINGS.items()}

# What `configure` has said.
_configured = {}

# The working directory, and what the project file above it says.
_project = None

_checked = False


def layer(values, source):
    """A layer of ``values`` that came from ``source``; ``stores`` of None says nothing.

    Raises ``ConfigError`` for values that cannot be meant, ``Unsupported`` for stores that are not built in.
    """
    found = {}
    for name, value in values.items():
        if name == "stores" and value is None:
            continue
        _saying(source, SETTINGS[name].check, value)
        found[name] = Taken(value=value, source=source)
    return _with_options(found)


def environment(prefix=_PREFIX):
    """The layer of the environment's variables that begin with ``prefix``; an empty one says nothing.

    Raises ``ConfigError`` for a variable that is no setting.
    """
    if not isinstance(prefix, str) or not prefix:
        raise ConfigError(
            "a prefix is a text with which the names of variables begin\n"
            'hint: write `Cache.from_env("SHOP_CACHE_")`'
        )
    names = {prefix + setting.variable: name for name, setting in SETTINGS.items()}
    found = {}
    for variable in os.environ:
        if not variable.startswith(prefix) or variable in _EXEMPT:
            continue
        if variable not in names:
            hint = _nearest_variable(variable, prefix, names)
            raise ConfigError(f"the environment variable {variable} is no setting\nhint: {hint}")
        if text := os.environ.get(variable):
            setting, source = SETTINGS[names[variable]], f"environment {variable}"
            value = _saying(source, setting.read, text)
            _saying(source, setting.check, value)
            found[names[variable]] = Taken(value=value, source=source)
    return _with_options(found)


def _nearest_variable(variable, prefix, names):
    # What all of them begin with makes none of them near.
    hint = _options.nearest(variable[len(prefix) :], [name[len(prefix) :] for name in names])
    if hint.startswith("did you mean"):
        return hint.replace('"', f'"{prefix}', 1)
    return f"the settings are {', '.join(names)}"


def project():
    """The layer of ``[tool.everwarm]`` in the nearest ``pyproject.toml`` from the working directory up."""
    global _project
    directory = os.getcwd()
    if _project is None or _project[0] != directory:
        _project = (directory, _read_project(directory))
    return _project[1]


def _read_project(directory):
    while True:
        path = os.path.join(directory, "pyproject.toml")
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            parent = os.path.dirname(directory)
            if parent == directory:
                return {}
            directory = parent
            continue
        return _section(path, content) if _may_have_section(content) else {}


def _may_have_section(content):
    """Whether parsing is worth its time: the table has several spellings, and is mostly not there."""
    if b"everwarm" not in content:
        return False
    import re

    # `[tool.everwarm]`, `tool.everwarm.ttl = ...`, `[tool]`, `tool = {...}`, quoted and spaced.
    tool = rb"""^(\xef\xbb\xbf)?[ \t]*(\[[ \t]*)*["']?tool["']?[ \t]*(\.[ \t]*["']?everwarm|\]|=)"""
    return re.search(tool, content, re.MULTILINE) is not None


def _section(path, content):
    try:
        import tomllib
    except ImportError:
        try:
            import tomli as tomllib
        except ImportError:
            raise Unsupported(
                f"{path} has [tool.everwarm], which CPython 3.10 cannot read alone\nhint: pip install tomli"
            ) from None
    try:
        section = tomllib.loads(content.decode())
    except ValueError as error:
        raise ConfigError(f"{path} is no TOML: {error}\nhint: mend it") from None
    for name in "tool", "everwarm":
        section = section.get(name, {})
        if not isinstance(section, dict):
            raise ConfigError(
                f"{path}: `{name}` is no table\nhint: write `[tool.everwarm]` above the settings"
            )
    try:
        _options.refuse_unknown(section, tuple(SETTINGS))
    except UnknownOption as error:
        raise ConfigError(f"{path}, [tool.everwarm]: {error}") from None
    return layer(section, path)


def _saying(source, step, value):
    """Takes a step with a value; if it is refused, the error begins with where the value is from."""
    try:
        return step(value)
    except Error as error:
        if source == "argument":
            raise
        raise type(error)(f"{source}: {error}") from None


def _with_options(found):
    """A layer with the options that ride in its URL, where it does not say the same itself."""
    if "stores" not in found:
        return found
    stores, source = found["stores"].value, found["stores"].source + " (URL)"
    for name, text in (_tiers.memory(stores, MEMORY_OPTIONS) or {}).items():
        value = _saying(source, SETTINGS[name].read, text)
        _saying(source, SETTINGS[name].check, value)
        found.setdefault(name, Taken(value=value, source=source))
    return found


def fill(own):
    """Every setting for a cache whose own layer is ``own``."""
    return {**_DEFAULTS, **project(), **environment(), **_configured, **own}


def alone(own):
    """Every setting for a cache that takes nothing from what is configured but whether it is disabled."""
    said = {name: _configured[name] for name in ("disabled",) if name in _configured}
    variable = _PREFIX + SETTINGS["disabled"].variable
    if not said and (text := os.environ.get(variable)):
        source = f"environment {variable}"
        said["disabled"] = Taken(value=_saying(source, _url.flag, text), source=source)
    return {**_DEFAULTS, **said, **own}


def masked(stores):
    """``stores`` as it may be shown."""
    return Taken(value=_url.shown(stores.value, MEMORY_OPTIONS), source=stores.source)


def check():
    """Reads environment and project file once, so that a cache is not built from what is wrong."""
    global _checked
    if not _checked:
        fill({})
        _checked = True


def configured():
    """What ``configure`` has said, to be given to ``restore``."""
    return dict(_configured)


def restore(said):
    """Makes ``said`` what ``configure`` has said, and has environment and project file read anew."""
    global _configured, _project, _checked
    _configured, _project, _checked = dict(said), None, False


def configure(stores=None, **settings):
    """Says what caches take that are told nothing else, above all the default one; at the start of a process.

    * ``stores``: a URL, such as ``"memory://?max_entries=100"``.
    * ``namespace``, ``max_entries``, ``max_bytes``, ``eviction``: as for ``Cache``.
    * ``ttl``: what policies take that say none: seconds, ``"1h30m"``, a ``timedelta``, or None for no expiry.
    * ``disabled``: True has all calls go past the caches.
    * ``keyring``: the ``Keyring`` that caches seal their entries with, in memory too.

    Each call adds to what was said before. Raises ``ConfigError`` for values that cannot be meant and once
    the default cache has been used, ``UnknownOption`` for settings that do not exist.

    >>> from everwarm import configure
    >>> try:
    ...     configure(tll="5m")
    ... except TypeError as error:
    ...     print(error)
    there is no option "tll"
    hint: did you mean "ttl"?
    """
    from everwarm._cache import cache

    _options.refuse_unknown(settings, tuple(SETTINGS))
    if stores is not None:
        settings["stores"] = stores
        ready(True)
    said = layer(settings, "configure")
    used = cache.__dict__.get("_first")
    if used is not None:
        raise ConfigError(
            f"the default cache took its configuration at its first use, in {used[2]}\n"
            "hint: call `everwarm.configure(...)` before, or build a `Cache` of your own"
        )
    _configured.update(said)


class Description(_Frozen):
    """The fields of a cache as they are, with where each was taken from; its text is a table.

    * ``fields``: from names to ``Taken``, each with ``value`` and ``source``.

    ``description["ttl"]`` is one of them.
    """

    __slots__ = ("fields",)

    def __getitem__(self, name):
        return self.fields[name]

    def __hash__(self):
        return hash(tuple(self.fields))

    def __str__(self):
        rows = [(name, _text(taken.value), taken.source) for name, taken in self.fields.items()]
        wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return "\n".join(f"{name:<{wide[0]}}  {value:<{wide[1]}}  {source}" for name, value, source in rows)


def _text(value):
    return value if isinstance(value, str) and value else repr(value)
