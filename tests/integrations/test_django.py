"""Django's models invalidate when their transaction is committed."""

from __future__ import annotations

import contextvars

import pytest
from everwarm import Cache, ConfigError

pytestmark = [pytest.mark.once, pytest.mark.libraries]

try:
    import django
    from django.conf import settings
except ImportError as missing:
    from conftest import loud_skip

    loud_skip(f"{missing}: install tests/requirements.txt")

if not settings.configured:
    settings.configure(
        DATABASES={
            name: {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
            for name in ("default", "other")
        },
        INSTALLED_APPS=[],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()

from django.db import connections, models, transaction  # noqa: E402
from everwarm.integrations.django import _listeners, invalidate_on_commit, watch  # noqa: E402


class Team(models.Model):
    class Meta:
        app_label = "shop"


class User(models.Model):
    name = models.CharField(max_length=20)
    teams = models.ManyToManyField(Team)

    class Meta:
        app_label = "shop"


TAGS = {User: lambda user: [f"user:{user.pk}"]}


@pytest.fixture(scope="module", autouse=True)
def tables():
    for name in ("default", "other"):
        with connections[name].schema_editor() as editor:
            editor.create_model(Team)
            editor.create_model(User)


@pytest.fixture(autouse=True)
def rows():
    for name in ("default", "other"):
        User.teams.through.objects.using(name).all().delete()
        User.objects.using(name).all().delete()
        User.objects.using(name).bulk_create([User(pk=pk, name="old") for pk in (1, 2)])


@pytest.fixture(params=["memory", "disk"])
def cache(request, tmp_path):
    made = Cache(None if request.param == "memory" else f"disk://{tmp_path}/store", namespace="shop")
    yield made
    # The signals hold listeners weakly.
    _listeners.clear()
    made.close()


@pytest.fixture
def name_of(cache):
    @cache(name="name_of", tags=["user:{user}"])
    def name_of(user):
        return User.objects.get(pk=user).name

    name_of(1), name_of(2)
    return name_of


def gone(function, *args):
    """As others see it."""
    return contextvars.Context().run(function.peek, *args) is None


class Rollback(Exception):
    pass


def rename(user, name="new"):
    row = User.objects.get(pk=user)
    row.name = name
    row.save()


def test_a_commit_invalidates_what_was_changed(cache, name_of):
    watch(cache, TAGS)
    with transaction.atomic():
        rename(1)
        assert not gone(name_of, 1)
        assert name_of.call(1).status == "bypass" and name_of(1) == "new"
        assert not gone(name_of, 1) and contextvars.Context().run(name_of, 1) == "old"
    assert gone(name_of, 1) and not gone(name_of, 2)
    assert name_of.call(2).status == "hit"


def test_without_a_transaction_it_is_done_at_once(cache, name_of):
    watch(cache, TAGS)
    rename(1)
    assert gone(name_of, 1) and not gone(name_of, 2)
    User.objects.get(pk=2).delete()
    assert gone(name_of, 2)


def test_a_rollback_invalidates_nothing(cache, name_of):
    watch(cache, TAGS)
    with pytest.raises(Rollback), transaction.atomic():
        rename(1)
        assert name_of(1) == "new"
        raise Rollback
    assert not gone(name_of, 1)
    found = name_of.call(1)
    assert (found.status, found.value) == ("hit", "old"), "what comes after is not inside"


def test_savepoints(cache, name_of):
    watch(cache, TAGS)
    with transaction.atomic():
        with transaction.atomic():
            rename(1)
        with pytest.raises(Rollback), transaction.atomic():
            rename(2)
            raise Rollback
        assert not gone(name_of, 1)
        assert name_of.call(2).status == "bypass"
    assert gone(name_of, 1) and not gone(name_of, 2)


def test_a_savepoint_that_was_first_and_is_gone(cache, name_of):
    watch(cache, TAGS)
    with transaction.atomic():
        with pytest.raises(Rollback), transaction.atomic():
            rename(2)
            raise Rollback
        rename(1)
        assert name_of.call(2).status == "bypass"
    assert gone(name_of, 1) and not gone(name_of, 2)


def test_related_rows(cache, name_of):
    watch(cache, TAGS)
    team = Team.objects.create()
    with transaction.atomic():
        User.objects.get(pk=1).teams.add(team)
        assert not gone(name_of, 1)
    assert gone(name_of, 1) and not gone(name_of, 2)


def test_the_database_that_was_written_decides(cache, name_of):
    watch(cache, TAGS)
    with transaction.atomic(using="other"):
        row = User.objects.using("other").get(pk=1)
        rename(2)
        assert gone(name_of, 2), "its database has no transaction"
        row.save()
        assert not gone(name_of, 1)
    assert gone(name_of, 1)


def test_what_sends_no_signal(cache, name_of):
    with transaction.atomic():
        User.objects.filter(pk=1).update(name="new")
        invalidate_on_commit(cache, "user:1", using="default")
        assert not gone(name_of, 1)
        assert name_of.call(1).status == "bypass"
    assert gone(name_of, 1)
    invalidate_on_commit(cache, "user:2")
    assert gone(name_of, 2)


@pytest.mark.parametrize("raises", [False, True])
def test_a_mark_before_the_commit(cache, name_of, raises):
    watch(cache, TAGS, mark_before=True)
    try:
        with transaction.atomic():
            rename(1)
            contextvars.Context().run(name_of, 1)
            assert gone(name_of, 1), "what others read meanwhile is not stored"
            if raises:
                raise Rollback
    except Rollback:
        pass
    name_of(1)
    assert not gone(name_of, 1)


def test_bad_input(cache):
    for tags, keywords in (({"User": len}, {}), ({User: "user"}, {}), (TAGS, {"delay": 0})):
        with pytest.raises(ConfigError, match="hint: "):
            watch(cache, tags, **keywords)
