from __future__ import annotations

import shutil
import xml.etree.ElementTree

import numpy as np
import PIL.Image
import pytest

from data_preparation import pascal_voc
from metrabs.command import run_command
from metrabs.data.augmentation.occluder_table import OccluderTable
from metrabs.data.augmentation.sources import default_pools
from metrabs.errors import UserError
from tests.data_preparation.fakes import pascal_voc as fake


def run_main(arguments):
    return run_command(pascal_voc.__doc__, pascal_voc.define_flags, pascal_voc.run, arguments)


@pytest.fixture
def root(tmp_path):
    fake.make_pascal_voc(tmp_path)
    return tmp_path


def test_the_only_usable_object_becomes_an_occluder_of_half_its_size(root):
    assert pascal_voc.convert(root) == 1
    image, alpha = OccluderTable(root / "pascal_voc" / "occluders")[0]
    assert image.shape == (50, 40, 3) and alpha.shape == (50, 40)
    # 80 x 60 pixels, of which the 8 x 8 ellipse erodes 4 on the left and top and 3 on the right
    # and bottom: 3869 pixels with weight 1 and 931 with 0.75, a quarter of them after halving.
    assert alpha.sum() == pytest.approx(1141.8125)
    assert set(np.unique(alpha)) == {0, 0.75, 0.8125, 0.875, 1}
    assert np.abs(image[20, 20].astype(int) - fake.CHAIR_COLOR).max() <= 3
    assert np.abs(image[1, 1].astype(int) - fake.BACKGROUND_COLOR).max() <= 3


def test_the_void_around_an_object_does_not_belong_to_it(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("void")
    fake.make_pascal_voc(other, has_void_ring=True)
    alphas = [next(pascal_voc.occluders_in(r / "pascal_voc")).alpha for r in (root, other)]
    assert np.array_equal(*alphas)


def objects_of(objects, segmented=1):
    text = fake.annotation("x", objects, segmented)
    return pascal_voc.usable_objects(xml.etree.ElementTree.fromstring(text))


def test_objects_keep_their_number_among_all_objects():
    found = objects_of(fake.OBJECTS)
    assert [o.label for o in found] == [2, 4]
    assert found[0].rows == slice(20, 120) and found[0].columns == slice(100, 180)


def test_people_and_truncated_and_difficult_objects_are_left_out():
    chair = fake.OBJECTS[1]
    others = [
        chair._replace(name="person"),
        chair._replace(truncated=1),
        chair._replace(difficult=1),
    ]
    assert objects_of(others) == []
    assert objects_of([chair], segmented=0) == []


def test_boxes_may_have_fractions():
    found = objects_of([fake.Annotated("cat", (45.70, 11.2, 100.9, 98.5))])
    assert found[0].columns == slice(45, 100) and found[0].rows == slice(11, 98)


def test_training_uses_the_occluders(root, monkeypatch):
    pascal_voc.convert(root)
    monkeypatch.setenv("DATA_ROOT", str(root))
    assert len(default_pools().occluders) == 1


def test_the_command_reports_and_explains_mistakes(root, capsys):
    assert run_main([f"--data_root={root}"]) == 0
    assert "1 occluders" in capsys.readouterr().out
    shutil.rmtree(root / "pascal_voc" / "Annotations")
    assert run_main([f"--data_root={root}"]) == 1
    message = capsys.readouterr().err
    assert "docs/prepare/pascal_voc.md" in message and message.count("\n") == 1
    assert run_main(["--help"]) == 0


@pytest.mark.parametrize(
    "text", ["<annotation>", fake.annotation("x", [fake.Annotated("cat", ("left", 1, 2, 3))])]
)
def test_a_damaged_annotation_is_named(root, text):
    (root / "pascal_voc" / "Annotations" / "2007_000001.xml").write_text(text)
    with pytest.raises(UserError, match="2007_000001.xml' is not an annotation.*again"):
        pascal_voc.convert(root)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (None, "cannot identify"),
        ((fake.HEIGHT, fake.WIDTH, 3), "3. numbers for an image"),
        ((9, 9), "9. numbers for an image"),
    ],
)
def test_error_names_a_damaged_segmentation(root, shape, message):
    path = root / "pascal_voc" / "SegmentationObject" / "2007_000001.png"
    if shape is None:
        path.write_bytes(b"no image")
    else:
        PIL.Image.fromarray(np.zeros(shape, np.uint8)).save(path)
    with pytest.raises(UserError, match=f"2007_000001.png' is not a segmentation.*{message}"):
        pascal_voc.convert(root)
