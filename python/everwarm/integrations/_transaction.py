"""What the rows of one database transaction invalidate, once that is committed."""

from __future__ import annotations

from everwarm._errors import ConfigError


class Watched:
    """The models whose rows are watched, with what tells the tags of a row."""

    __slots__ = ("_tags", "cache", "delay", "mark_before", "timeout")

    def __init__(self, cache, tags, delay, mark_before, timeout):
        for model, of in tags.items():
            if not isinstance(model, type) or not callable(of):
                raise ConfigError(
                    "watch takes a mapping from models to functions of a row\n"
                    'hint: write `{User: lambda user: [f"user:{user.id}"]}`'
                )
        self.cache, self._tags = cache, dict(tags)
        self.delay, self.mark_before, self.timeout = delay, mark_before, timeout
        self.unit()  # refuses what cannot be meant

    def unit(self):
        return self.cache.unit_of_work(delay=self.delay, mark_before=self.mark_before, timeout=self.timeout)

    def model_of(self, kind):
        """The watched model that a class is, or comes from; None if it is not watched."""
        return next((base for base in kind.__mro__ if base in self._tags), None)

    def tags_of(self, *rows):
        """The tags of one row, in all the states that are given."""
        of = self._tags[self.model_of(type(rows[0]))] if rows else None
        return [tag for row in rows for tag in of(row)]


class Transaction:
    """One transaction in which watched rows have changed: a unit of work without a block."""

    __slots__ = ("_clears", "_tags", "_unit", "_watched")

    def __init__(self, watched):
        self._watched = watched
        # By what may be rolled back alone, such as a savepoint.
        self._tags = []
        self._clears = False
        self._unit = watched.unit().__enter__()

    def touch(self, tags, part=None):
        """Rows with these tags have changed, in one part of the transaction."""
        if self._watched.mark_before:
            self._watched.cache.invalidate_tags(tags)
        else:
            self._tags.append((part, tags))

    def touch_all(self):
        """It cannot be said which rows have changed."""
        self._clears = True

    def roll_back_to(self, is_gone):
        """Forgets the parts of which ``is_gone`` says so; what is marked already stays so."""
        self._tags = [(part, tags) for part, tags in self._tags if not is_gone(part)]

    def commit(self):
        self._unit.__exit__(None, None, None)
        tags = {tag for _, tags in self._tags for tag in tags}
        with self._watched.cache.unit_of_work(delay=self._watched.delay):
            self._watched.cache.invalidate_tags(tags)
            if self._clears:
                self._watched.cache.clear()

    def roll_back(self):
        self._unit.__exit__(RolledBack, None, None)


class RolledBack(Exception):
    """What a unit of work is told of a transaction that was rolled back."""
