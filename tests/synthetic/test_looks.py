from __future__ import annotations

import pytest

from metrabs.errors import UserError
from metrabs.skeletons.merged_sets import member_names
from metrabs.synthetic.looks import LOOKS, find_look
from metrabs.synthetic.outfits import STYLES
from metrabs.synthetic.poses import POSE_CLASSES
from metrabs.synthetic.surroundings import KINDS


def test_every_dataset_has_a_look_and_one_is_held_out():
    assert set(LOOKS) == {*member_names("huge8"), *member_names("huge2d_common"), "heldout"}


@pytest.mark.parametrize("name", LOOKS)
def test_looks_use_known_places_clothes_and_poses(name):
    look = find_look(name)
    assert set(look.places) <= set(KINDS)
    assert set(look.styles) <= set(STYLES)
    assert set(look.poses) <= set(POSE_CLASSES)


def test_looks_differ():
    assert len({repr(look) for look in LOOKS.values()}) == len(LOOKS)


def test_unknown_look_is_a_user_error():
    with pytest.raises(UserError, match="Unknown look 'h37m'"):
        find_look("h37m")
