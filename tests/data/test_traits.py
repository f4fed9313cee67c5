from __future__ import annotations

import pytest

from metrabs.data.traits import ColorCorrection, DatasetTraits, traits_of

DARK = ColorCorrection(is_dark=True, sequences=r"(^|/)TS[1-5]/")


@pytest.mark.parametrize(
    "dataset, path, expected",
    [
        ("mupots", "mupots/TS3/img_000001.jpg", DARK),
        ("mupots", "mupots/TS6/img_000001.jpg", None),
        ("mupots", "mupots/TS12/img_000001.jpg", None),
        (
            "tdhp",
            "3dhp/TS4/imageSequence/img_000001.jpg",
            ColorCorrection(True, (110, 145), r"(^|/)TS[1-4]/"),
        ),
        ("tdhp", "3dhp/TS5/imageSequence/img_000001.jpg", None),
        ("tdhp", "3dhp_downscaled/S1/Seq1/imageSequence/img_0_000001.jpg", None),
        ("panoptic", "anywhere/1.jpg", ColorCorrection(neutral_ab=(120, 138))),
        ("h36m", "mupots/TS3/img_000001.jpg", None),
        ("", "mupots/TS3/img_000001.jpg", None),
    ],
)
def test_colour_corrections_depend_on_dataset_and_sequence(dataset, path, expected):
    assert traits_of(dataset).correction_for(path) == expected


@pytest.mark.parametrize("dataset, expected", [("h36m", 0.7), ("agora", 0.2), ("spec", 0.2)])
def test_datasets_with_rich_backgrounds_mostly_keep_them(dataset, expected):
    assert traits_of(dataset).background_replacement_prob(0.7) == expected
    assert traits_of(dataset).background_replacement_prob(0) == 0


@pytest.mark.parametrize(
    "merged_set, expected",
    [
        ("many2", 0.5),
        ("huge8_dummy", 0.5),
        ("annotations_28ds", 0.5),
        ("huge8", 0.1),
        ("medium3", 0.1),
        ("my_huge_set", 0.1),
        ("", 0.1),
    ],
)
def test_partial_views_of_h36m_are_forced_in_some_merged_sets_only(merged_set, expected):
    assert traits_of("h36m").partial_view_prob(0.1, merged_set) == expected
    assert traits_of("muco").partial_view_prob(0.1, merged_set) == 0.1


@pytest.mark.parametrize("dataset", ["", "mine", "h36m_like", "Panoptic"])
def test_other_datasets_are_neutral(dataset):
    assert traits_of(dataset) == DatasetTraits()
