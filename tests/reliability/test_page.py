"""The page of the guide about failures is what the table and the tests say."""

from __future__ import annotations

import pytest
from project import script

pytestmark = pytest.mark.once


def test_the_page_is_up_to_date_and_each_row_has_a_test(monkeypatch):
    failures = script("failures")
    monkeypatch.setattr("sys.argv", ["failures.py", "--check"])
    assert failures.main() == 0
    assert {situation for situation, _ in failures.shown()} == set(failures.table())
