from __future__ import annotations

from tests.golden.test_data_load3d import check_all_cases


def test_3d_examples_are_augmented_like_the_original(golden):
    check_all_cases(golden("data_load3d_aug"))
