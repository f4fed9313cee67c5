"""The tables of all skeleton conventions: datasets, merged joint lists, exported skeletons.

`data/datasets.json` holds each dataset's own joint list, `data/merged.json` the joint lists that
result from merging them (and more, see `metrabs.skeletons.merged_sets`), `data/export.json` the
skeletons that a packaged model offers.
Edges are chains of names as `JointInfo` reads them, or index pairs.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import json
from collections.abc import Sequence
from typing import Any, Optional

from metrabs.errors import unknown_name_error
from metrabs.skeletons.joint_info import Edge, JointInfo


@dataclasses.dataclass(frozen=True)
class Skeleton:
    """One selectable output format of a packaged model.

    Attributes:
        indices: positions of its joints in the model's full output.
        names: exported joint names.
        edges: pairs of positions within `names`, each edge once.
    """

    indices: list[int]
    names: list[str]
    edges: list[Edge]


def format_suffix(joint_name: str) -> str:
    """Returns the format suffix of a merged joint name; the SMPL joints carry none: 'smpl'."""
    return joint_name.rpartition("_")[2] if "_" in joint_name else "smpl"


def base_name(joint_name: str) -> str:
    """Returns a merged joint name without its format suffix."""
    return joint_name.rpartition("_")[0] if "_" in joint_name else joint_name


@functools.cache
def merged_joint_info(name: str) -> JointInfo:
    """Returns the joint list of a merged dataset.

    Args:
        name: 'huge8' (555 joints), 'medium3' (277), 'small5' (77), 'huge2d_common' (17) or
            'kinectv2' (25 joints that only some packaged models have).
    """
    entry = _lookup("merged skeleton", name, read_table("merged"))
    return JointInfo(entry["joints"], entry["edges"])


@functools.cache
def dataset_joint_info(dataset: str, merged_names: bool = True) -> JointInfo:
    """Returns the joint list of one dataset, in the dataset's own order.

    Args:
        dataset: A name in `data/datasets.json`, such as 'h36m'.
        merged_names: with the format suffix of the merged sets, else as in the dataset.
    """
    entry = _lookup("dataset", dataset, read_table("datasets"))
    joint_info = JointInfo(entry["joints"], entry["edges"])
    return joint_info.with_suffix(entry["suffix"]) if merged_names else joint_info


def format_members(dataset: str) -> list[str]:
    """Returns the names, as in the merged sets, of the joints that a dataset annotates."""
    return list(dataset_joint_info(dataset).names)


def export_skeletons(
    joint_names: Sequence[str], joint_edges: Optional[Sequence[Edge]] = None
) -> dict[str, Skeleton]:
    """Returns the skeletons that a packaged model with the given joints can offer.

    A named skeleton is offered if the model has all its joints. The skeleton '' is the full
    output, in which the SMPL joints carry the suffix `_smpl`.

    Args:
        joint_names: the model's output joints, named as in the merged sets.
        joint_edges: edges of the full output; default: those of the merged 555 joints and of the
            Kinect joints, as far as the model has their ends.

    Returns:
        Skeleton name, such as 'h36m_17', to Skeleton; '' comes last.
    """
    full_names = _names_with_smpl_suffix(joint_names)
    ids = {name: i for i, name in enumerate(full_names)}
    edges = (
        _known_edges(ids) if joint_edges is None else [(int(a), int(b)) for a, b in joint_edges]
    )
    skeletons = {}
    for name, entry in read_table("export").items():
        joints = entry["joints"].split(",")
        if all(joint in ids for joint in joints):
            skeletons[name] = _named_skeleton([ids[joint] for joint in joints], edges, entry)
    skeletons[""] = Skeleton(list(range(len(full_names))), full_names, list(dict.fromkeys(edges)))
    return skeletons


def _named_skeleton(indices: list[int], edges: list[Edge], entry: dict[str, str]) -> Skeleton:
    default_names = [base_name(joint) for joint in entry["joints"].split(",")]
    names = entry["names"].split(",") if "names" in entry else default_names
    position = {joint: i for i, joint in enumerate(indices)}
    own_edges = [
        (min(position[a], position[b]), max(position[a], position[b]))
        for a, b in edges
        if a in position and b in position
    ]
    # The 28-joint format links neck and shoulders through collar bones, which are not among
    # the 17 joints.
    own_edges += JointInfo(names, entry.get("extra_edges", "")).edges
    # Deviation: the original lists some edges twice; each edge is exported once.
    return Skeleton(indices, names, list(dict.fromkeys(own_edges)))


def _names_with_smpl_suffix(joint_names: Sequence[str]) -> list[str]:
    names = list(joint_names)
    # A model trained on one dataset has unsuffixed names that are not SMPL's.
    if not set(format_members("surreal")) <= set(names):
        return names
    return [name if "_" in name else f"{name}_smpl" for name in names]


def _known_edges(ids: dict[str, int]) -> list[Edge]:
    edges = []
    for table in ("huge8", "kinectv2"):
        joint_info = merged_joint_info(table)
        names = _names_with_smpl_suffix(joint_info.names)
        for first, second in joint_info.edges:
            if names[first] in ids and names[second] in ids:
                a, b = ids[names[first]], ids[names[second]]
                edges.append((min(a, b), max(a, b)))
    return edges


def _lookup(kind: str, name: str, table: dict[str, Any]) -> Any:
    if name not in table:
        raise unknown_name_error(kind, name, table)
    return table[name]


@functools.cache
def read_table(name: str) -> dict[str, Any]:
    """Returns the content of `data/<name>.json`; it must not be changed."""
    path = importlib.resources.files("metrabs.skeletons") / "data" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))
