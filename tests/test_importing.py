from __future__ import annotations

import collections

import pytest

from metrabs.errors import UserError
from metrabs.importing import imported, imported_from_table

PLACES = {"counter": "collections:Counter", "deque": "collections:deque"}


def test_a_name_of_the_table_is_imported():
    assert imported_from_table("container", "counter", PLACES) is collections.Counter


def test_an_unknown_name_is_told_with_the_known_ones():
    with pytest.raises(UserError, match="Unknown container 'x'. Known: counter, deque."):
        imported_from_table("container", "x", PLACES)


@pytest.mark.parametrize("place", ["collections:Nothing", "no_such_package:f", "collections"])
def test_what_cannot_be_imported_is_named(place):
    with pytest.raises(UserError, match=f"'{place}' cannot be imported"):
        imported(place)
