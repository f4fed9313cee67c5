from __future__ import annotations

import pytest

from metrabs.errors import UserError
from metrabs.skeletons.merged_sets import member_names
from metrabs.synthetic.environment import ENVIRONMENT_KINDS
from metrabs.synthetic.outfits import CLOTHING_KINDS
from metrabs.synthetic.poses import POSE_CLASSES
from metrabs.synthetic.styles import STYLES, find_style


def test_every_dataset_has_a_style_and_one_is_held_out():
    assert set(STYLES) == {*member_names("huge8"), *member_names("huge2d_common"), "heldout"}


@pytest.mark.parametrize("name", STYLES)
def test_styles_use_known_environments_clothes_and_poses(name):
    style = find_style(name)
    assert set(style.environments) <= set(ENVIRONMENT_KINDS)
    assert set(style.clothing) <= set(CLOTHING_KINDS)
    assert set(style.poses) <= set(POSE_CLASSES)


def test_styles_differ():
    assert len({repr(style) for style in STYLES.values()}) == len(STYLES)


def test_unknown_style_is_a_user_error():
    with pytest.raises(UserError, match="Unknown style 'h37m'"):
        find_style("h37m")
