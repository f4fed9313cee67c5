from __future__ import annotations

import errno
import json
import os
import pickle

import numpy as np
import pytest

from data_preparation.common.run import prepare
from data_preparation.common.setup import Setup
from metrabs.data.storage.cache import open_cache
from metrabs.data.storage.masks import decode_mask, encode_mask
from metrabs.errors import UserError
from tests.data_preparation.common.toy import Toy, make_toy, num_conversions

HERE = "tests.data_preparation.common.toy"


@pytest.fixture
def root(tmp_path):
    make_toy(tmp_path)
    return tmp_path


def run(root, converter=None, num_workers=0, **setup):
    setup = Setup(str(root), **setup)
    return prepare(converter or Toy(), setup, root / "cache", num_workers)


def paths_of(report, split, cache="toy"):
    return [e.image_path for e in open_cache(report.caches[cache]).split(split)]


def test_caches_hold_all_sequences_sorted_by_path(root):
    report = run(root, Toy(numbers=(3, 1, 2)))
    assert paths_of(report, "train") == [f"toy_downscaled/images/{n}_0.jpg" for n in (1, 2, 3)]
    assert paths_of(report, "valid") == [f"toy_downscaled/images/{n}_1.jpg" for n in (1, 2, 3)]
    assert report.num_examples == {"train": 3, "valid": 3}
    assert {e.dataset for e in open_cache(report.caches["toy"])} == {"toy"}


def test_several_caches_differ_by_their_joints(root):
    report = run(root)
    whole, pelvis = (open_cache(report.caches[name]) for name in ("toy", "toy_pelvis"))
    assert whole.joint_info.names == ["pelv", "lhip", "rhip"]
    assert pelvis.joint_info.names == ["pelv"]
    np.testing.assert_array_equal(pelvis.train[0].coords, whole.train[0].coords[:1])


def test_finished_sequences_are_kept(root):
    run(root, Toy(numbers=(1, 2)))
    report = run(root, Toy(numbers=(1, 2, 3)))
    assert num_conversions(root) == {1: 1, 2: 1, 3: 1}
    assert report.num_examples == {"train": 3, "valid": 3}
    assert report.issues.entries["skipped", "no reason"].count == 3


def test_finished_sequences_are_converted_again_with_other_settings(root):
    run(root)
    run(root, Toy(room=2.0))
    run(root, Toy(room=2.0), detector=f"{HERE}:detect_all")
    assert num_conversions(root) == {1: 3, 2: 3, 3: 3}


@pytest.mark.parametrize("lost", ["1.json", "1.pkl"])
def test_a_sequence_without_its_record_or_examples_is_converted_again(root, lost):
    run(root)
    (root / "toy_downscaled" / "parts" / lost).unlink()
    run(root)
    assert num_conversions(root) == {1: 2, 2: 1, 3: 1}


def test_an_interrupted_sequence_is_not_taken_for_finished(root, monkeypatch):
    run(root)
    record = root / "toy_downscaled" / "parts" / "2.json"
    old = json.loads(record.read_text())

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("data_preparation.common.parts.write_marker", fail)
    with pytest.raises(KeyboardInterrupt):
        run(root, Toy(numbers=(2,), room=2.0))
    # Neither the new settings nor the old ones may trust what lies there now.
    monkeypatch.undo()
    assert not record.exists()
    run(root)
    assert num_conversions(root)[2] == 3
    assert json.loads(record.read_text()) == old


def test_an_unreadable_sequence_leaves_the_others_and_is_reported(root):
    report = run(root, Toy(broken=2))
    assert list(report.failures) == ["2"]
    assert "toy/2' is damaged" in report.failures["2"]
    assert report.num_examples == {"train": 2, "valid": 2}
    written = (root / "cache" / "toy_report.txt").read_text()
    assert written == report.text() + "\n"
    for part in ("4 examples", "2: File 'toy/2' is damaged", "no detection result, e.g. images/1"):
        assert part.replace("4 examples", "2 train, 2 valid examples from 2 sequences") in written
    again = run(root)
    assert not again.failures and again.num_examples == {"train": 3, "valid": 3}


def test_strict_makes_an_unreadable_sequence_an_error(root):
    (root / "toy" / "found.pkl").write_bytes(
        pickle.dumps({f"images/{n}_{i}.jpg": [] for n in (1, 2, 3) for i in (0, 1)})
    )
    with pytest.raises(UserError, match="1 of 3 sequences .* first is 2: File 'toy/2'"):
        run(root, Toy(broken=2), strict=True)
    assert not (root / "cache").exists()


def test_precomputed_detections_come_from_the_usual_place(root):
    boxes = {f"images/{n}_{i}.jpg": [[5, 5, 20, 20, 0.5]] for n in (1, 2, 3) for i in (0, 1)}
    (root / "toy" / "found.pkl").write_bytes(pickle.dumps(boxes))
    report = run(root)
    assert ("degraded", "no detection result") not in report.issues.entries
    train = open_cache(report.caches["toy"]).train
    assert train[0].bbox[2] == pytest.approx(train[0].bbox[3])  # square, as detected


def test_the_segmenter_runs_on_the_crops(root):
    report = run(root, segmenter=f"{HERE}:segment_box")
    for example in open_cache(report.caches["toy"]):
        left, top, width, height = example.bbox.astype(int)
        assert decode_mask(example.mask).sum() == width * height


def test_masks_made_by_another_program_are_added_without_converting_again(root):
    run(root)
    mask = encode_mask(np.ones((4, 5)))
    given = root / "masks.pkl"
    given.write_bytes(pickle.dumps({"images/1_0.jpg": mask}))
    report = run(root, masks=str(given))
    train = open_cache(report.caches["toy"]).train
    assert [example.mask for example in train] == [mask, None, None]
    assert num_conversions(root) == {1: 1, 2: 1, 3: 1}
    assert report.issues.entries["degraded", "no mask result"].count == 2


def test_preparations_are_finished_before_sequences_begin(root):
    report = run(root, Toy(prepared=(1, 2)), num_workers=2)
    assert report.num_examples == {"train": 3, "valid": 3} and report.num_sequences == 3


def test_a_failed_preparation_stops_the_conversion(root):
    with pytest.raises(UserError, match="1 of 2 sequences .* first/13: File 'toy/13'"):
        run(root, Toy(prepared=(1, 13)))
    assert not (root / "traces").exists()


def test_processes_give_the_same_as_one_process(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    make_toy(other)
    caches = [run(root, num_workers=0).caches, run(other, num_workers=2).caches]
    for name in ("toy", "toy_pelvis"):
        contents = [path[name].read_bytes() for path in caches]
        assert contents[0] == contents[1]
    crops = [(folder / "toy_downscaled/images/3_1.jpg").read_bytes() for folder in (root, other)]
    assert crops[0] == crops[1]


def test_missing_downloads_and_empty_selections_are_errors(root, tmp_path_factory):
    message = r"missing: any file '.*toy/images/\*.jpg'.*run make_toy.*toy.md"
    with pytest.raises(UserError, match=message):
        run(tmp_path_factory.mktemp("empty"))
    with pytest.raises(UserError, match="leave no sequences"):
        run(root, Toy(numbers=()))
    with pytest.raises(ValueError, match="the same name"):
        run(root, Toy(numbers=(1, 1)))


def test_a_fuller_cache_is_replaced_on_request_only(root):
    run(root, Toy(numbers=(1, 2, 3)))
    cache = root / "cache" / "toy.pkl"
    before = cache.read_bytes()
    with pytest.raises(UserError, match="toy.pkl' holds 6 examples, .* give 4. Give --replace"):
        run(root, Toy(numbers=(1, 2)))
    assert cache.read_bytes() == before
    report = prepare(Toy(numbers=(1, 2)), Setup(str(root)), root / "cache", 0, replace=True)
    assert report.num_examples == {"train": 2, "valid": 2}
    for path in report.caches.values():
        path.write_bytes(b"damaged")
    assert run(root, Toy(numbers=(1,))).num_examples == {"train": 1, "valid": 1}


def test_a_full_disk_leaves_the_cache_as_it_was(root, monkeypatch):
    run(root, Toy(numbers=(1, 2)))
    before = (root / "cache" / "toy.pkl").read_bytes()

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("metrabs.files.os.replace", fail)
        with pytest.raises(OSError, match="No space left"):
            run(root, Toy(numbers=(1, 2, 3)))
    assert (root / "cache" / "toy.pkl").read_bytes() == before
    assert not [path.name for path in root.rglob(".*")]
    assert run(root, Toy(numbers=(1, 2, 3))).num_examples == {"train": 3, "valid": 3}
