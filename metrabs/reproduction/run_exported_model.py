"""Runs an exported model in a clean environment: with TensorFlow only, without this package.

Runs as a script, `python run_exported_model.py EXPORT OUTPUT.npz IMAGE...`, and verifies that the
export needs nothing of this package by making it impossible to import. The output holds `images`
(file names), `<skeleton>/names` and `<skeleton>/edges` and, for each image i, `<i>/boxes` [n, 5]
px, `<i>/<skeleton>/poses3d` [n, J, 3] mm (camera frame) and `<i>/<skeleton>/poses2d` [n, J, 2] px.
"""

from __future__ import annotations

import os
import sys
import time

sys.modules["metrabs"] = None  # type: ignore[assignment]  # importing it raises ImportError now

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

SKELETONS = ("smpl_24", "coco_19", "h36m_17", "")


def main(export_dir: str, output_path: str, image_paths: list[str]) -> None:
    """Loads the export, detects people and their poses in each image, writes one .npz file."""
    start = time.monotonic()
    model = tf.saved_model.load(export_dir)
    print(f"      loaded in {time.monotonic() - start:.1f} s", flush=True)
    results: dict[str, np.ndarray] = {}
    for skeleton in SKELETONS:
        results[f"{skeleton}/names"] = model.per_skeleton_joint_names[skeleton].numpy().astype(str)
        results[f"{skeleton}/edges"] = model.per_skeleton_joint_edges[skeleton].numpy()
    indices = {s: model.per_skeleton_indices[s].numpy() for s in SKELETONS}
    results["images"] = np.array([os.path.basename(path) for path in image_paths])
    for i, path in enumerate(image_paths):
        image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
        start = time.monotonic()
        # A model that trained for minutes predicts few plausible poses; show all.
        prediction = model.detect_poses(image, skeleton="", suppress_implausible_poses=False)
        print(
            f"      {os.path.basename(path)}: {len(prediction['boxes'])} people, "
            f"{time.monotonic() - start:.1f} s",
            flush=True,
        )
        results[f"{i}/boxes"] = prediction["boxes"].numpy()
        for skeleton in SKELETONS:
            for key in ("poses3d", "poses2d"):
                poses = prediction[key].numpy()
                results[f"{i}/{skeleton}/{key}"] = poses[:, indices[skeleton]]
    np.savez_compressed(output_path, **results)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
