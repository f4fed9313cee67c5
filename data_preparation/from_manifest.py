"""Makes a dataset for training from a manifest: images, cameras, 3D joints and boxes of your own.

    python -m data_preparation.from_manifest --manifest=people.jsonl --name=mine

The manifest has one example per line, as JSON or CSV: see docs/how-to/own-dataset.md. Every line
is checked. The result is the cache file `mine.pkl` in the cache folder and, unless --nocrops is
given, a small picture of each person below $DATA_ROOT/mine_downscaled, so that training never
reads the full images.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence

from absl import flags
from tqdm import tqdm

from data_preparation.common.crop_geometry import plan_crop
from data_preparation.common.crop_images import (
    SourceMask,
    render_crop,
    render_mask,
    write_jpeg,
)
from data_preparation.manifest import open_manifest
from metrabs.command import reject_positional_args, run_command
from metrabs.data.datasets import cache_dir, data_root, resolve_image_path
from metrabs.data.examples import Pose3DExample
from metrabs.data.storage.cache import CacheWriter
from metrabs.data.storage.images import read_image
from metrabs.data.storage.masks import decode_mask
from metrabs.errors import UserError


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command; not at import, where they might meet another's."""
    texts = {
        "manifest": "the .jsonl or .csv file",
        "name": "name of the new dataset",
        "cameras": "JSON file that describes cameras by name, for manifests that refer to them",
        "edges": "bones of a CSV manifest: chains of joint names, such as neck-lsho-lelb",
    }
    for name, text in texts.items():
        flags.DEFINE_string(name, "", text, flag_values=values)
    flags.DEFINE_enum("unit", "mm", ["mm", "cm", "m"], "unit of lengths in a CSV manifest",
                      flag_values=values)
    flags.DEFINE_bool("crops", True, "store small crops of the people and train on those",
                      flag_values=values)


def build(values: flags.FlagValues) -> pathlib.Path:
    """Runs the command with parsed flags and returns the path of the cache file.

    Raises:
        UserError: a flag or a line of the manifest cannot be used.
    """
    if not values.manifest or not values.name:
        raise UserError("Give --manifest=FILE and --name=NAME.")
    if not values.name.replace("_", "").replace("-", "").isalnum():
        raise UserError(f"--name={values.name} must consist of letters, digits, - and _.")
    joint_info, examples = open_manifest(
        values.manifest, data_root(), values.cameras or None, values.edges, values.unit,
        dataset=values.name,
    )
    path = cache_dir() / f"{values.name}.pkl"
    counts: dict[str, int] = {}
    with CacheWriter(path, values.name, joint_info) as writer:
        for split, example in tqdm(examples, desc="Checking", unit="example"):
            if values.crops:
                crop_path = f"{values.name}_downscaled/{split}/{counts.get(split, 0):06d}.jpg"
                example = _cropped(example, crop_path)
            writer.append(split, example)
            counts[split] = counts.get(split, 0) + 1
        if not counts:
            raise UserError(f"Manifest '{values.manifest}' has no examples.")
    numbers = ", ".join(f"{count} {split}" for split, count in counts.items())
    print(f"{path}: {numbers} examples of {joint_info.num_joints} joints")
    return path


def read_manifest(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    reject_positional_args(words)
    build(values)


def _cropped(example: Pose3DExample, crop_path: str) -> Pose3DExample:
    """Writes the crop of a person and returns the person in the crop."""
    image = read_image(resolve_image_path(example.image_path))
    plan = plan_crop(example, image.shape)
    write_jpeg(resolve_image_path(crop_path), render_crop(image, plan))
    mask = example.mask
    if mask is not None:
        mask = render_mask(SourceMask(decode_mask(mask) * 255), plan)
    return dataclasses.replace(
        example, image_path=crop_path, bbox=plan.box_px, camera=plan.new_camera, mask=mask
    )


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, read_manifest))
