"""``ddl``: what makes the tables of a store."""

from __future__ import annotations

from everwarm import _native


def ddl(url):
    """The statements that make the tables of the store that a URL names, and its functions if it has some.

    A store makes them itself when it is first used, if its user may. Where only somebody else may, that one
    runs this, and the URL says ``make_tables=false``. Nothing is connected.

    * ``url``: the URL of a store in a database: ``"postgresql://host/database?schema=app&table=cache"``;
      or of a table of DynamoDB, for which it gives the commands of AWS's command line.

    Raises ``ConfigError`` for the URL of another store, and for what cannot be meant.

    >>> from everwarm import ddl
    >>> print(ddl("postgresql://localhost/shop?table=cache").splitlines()[0])
    CREATE TABLE IF NOT EXISTS "cache" (
    """
    return _native.ddl(url)
