"""Makes a dataset for training from your own images, listed in a manifest.

    python -m data_preparation.from_manifest --manifest=people.jsonl --name=mine

The manifest has one example per line, as JSON or CSV, with the camera, the 3D joints and the box
of a person: see docs/how-to/own-dataset.md. Every line is checked. The result is the cache file
`mine.pkl` in the cache folder and, unless --nocrops is given, a small crop of each person in
mine_downscaled in the data root, so that training never reads the full images.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Optional

from tqdm import tqdm

from data_preparation.common.crop_geometry import plan_crop
from data_preparation.common.crop_images import SourceMask, render_crop, render_mask, write_jpeg
from data_preparation.manifest import open_manifest
from metrabs.command import DataFolderSettings, run_tool
from metrabs.data.examples import Pose3DExample
from metrabs.data.storage.cache import CacheWriter
from metrabs.data.storage.images import read_image
from metrabs.data.storage.masks import decode_mask
from metrabs.errors import UserError
from metrabs.folders import DataFolders
from metrabs.settings import setting


@dataclasses.dataclass(frozen=True)
class ManifestSettings(DataFolderSettings):
    """Settings of the command."""

    manifest: str = setting(None, "the .jsonl or .csv file")
    name: str = setting(None, "name of the new dataset")
    cameras: Optional[str] = setting(
        None, "JSON file that describes cameras by name, for manifests that refer to them"
    )
    edges: str = setting(
        "", "bones of a CSV manifest: chains of joint names, such as neck-lsho-lelb"
    )
    unit: str = setting("mm", "unit of lengths in a CSV manifest", choices=("mm", "cm", "m"))
    crops: bool = setting(True, "store small crops of the people and train on those")


def build(settings: ManifestSettings) -> pathlib.Path:
    """Makes the dataset and returns the path of its cache file.

    Raises:
        UserError: a setting or a line of the manifest cannot be used.
    """
    name = settings.name
    if not name.replace("_", "").replace("-", "").isalnum():
        raise UserError(f"--name={name} must consist of letters, digits, - and _.")
    folders = settings.folders()
    joint_info, examples = open_manifest(
        settings.manifest, folders.root, settings.cameras, settings.edges, settings.unit,
        dataset=name,
    )  # fmt: skip
    path = folders.cache / f"{name}.pkl"
    counts: dict[str, int] = {}
    with CacheWriter(path, name, joint_info) as writer:
        for split, example in tqdm(examples, desc="Checking", unit="example"):
            if settings.crops:
                crop_path = f"{name}_downscaled/{split}/{counts.get(split, 0):06d}.jpg"
                example = _cropped(example, crop_path, folders)
            writer.append(split, example)
            counts[split] = counts.get(split, 0) + 1
        if not counts:
            raise UserError(f"Manifest '{settings.manifest}' has no examples.")
    numbers = ", ".join(f"{count} {split}" for split, count in counts.items())
    print(f"{path}: {numbers} examples of {joint_info.num_joints} joints")
    return path


def _cropped(example: Pose3DExample, crop_path: str, folders: DataFolders) -> Pose3DExample:
    """Writes the crop of a person and returns the person in the crop."""
    image = read_image(folders.image_path(example.image_path))
    plan = plan_crop(example, image.shape)
    write_jpeg(folders.image_path(crop_path), render_crop(image, plan))
    mask = example.mask
    if mask is not None:
        mask = render_mask(SourceMask(decode_mask(mask) * 255), plan)
    return dataclasses.replace(
        example, image_path=crop_path, bbox=plan.box_px, camera=plan.new_camera, mask=mask
    )


def _run(settings: ManifestSettings) -> None:
    build(settings)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(__doc__, ManifestSettings, _run, arguments)


if __name__ == "__main__":
    sys.exit(main())
