from __future__ import annotations

import collections

import pytest

from metrabs.errors import UserError
from metrabs.importing import import_from_string, import_registered

REGISTRY = {"counter": "collections:Counter", "deque": "collections:deque"}


def test_imports_a_registered_name():
    assert import_registered("container", "counter", REGISTRY) is collections.Counter


def test_error_for_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match="Unknown container 'x'. Known: counter, deque."):
        import_registered("container", "x", REGISTRY)


@pytest.mark.parametrize("path", ["collections:Nothing", "no_such_package:f", "collections"])
def test_error_names_what_cannot_be_imported(path):
    with pytest.raises(UserError, match=f"'{path}' cannot be imported"):
        import_from_string(path)
