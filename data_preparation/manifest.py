"""Manifests: a simple text form of a 3D dataset, for people's own data.

A manifest is a text file with one example per line, either JSON (`.jsonl`) or CSV (`.csv`); both
are described in docs/how-to/own-dataset.md. Everything is checked, and a mistake is reported by
its line and field.
"""

from __future__ import annotations

import csv
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional, Union

from data_preparation.manifest_fields import ExampleReader, FieldError, joint_name
from metrabs.data.examples import Pose3DExample
from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.skeletons import JointInfo

_Lines = Iterator[tuple[int, Mapping[str, Any]]]
_MM_PER_UNIT = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
_CSV_BOX = ("left", "top", "width", "height")
_CSV_FIELDS = ("image", "split", "camera", "mask", *_CSV_BOX)
_AXES = ("x", "y", "z")
_MISSING = ("", "nan", "na", "n/a", "null", "none", "-")


class Manifest(NamedTuple):
    """An opened manifest.

    Attributes:
        joint_info: the joints.
        examples: yields (split, example), reading the images on the way.

    Errors of single lines are raised while the examples are read.
    """

    joint_info: JointInfo
    examples: Iterator[tuple[str, Pose3DExample]]


def open_manifest(
    path: PathLike,
    data_root: PathLike,
    cameras_path: Optional[PathLike] = None,
    edges: str = "",
    unit: str = "mm",
    dataset: str = "",
) -> Manifest:
    """Opens a manifest.

    Args:
        path: a file ending in .jsonl or .csv; its image paths are relative to its folder.
        data_root: folder to which the image paths of the examples will be relative.
        cameras_path: JSON file with cameras by name; the cameras of a .jsonl file's first line
            are also known.
        edges: Bones of a CSV file as chains of joint names: 'neck-lsho-lelb,neck-head'.
        unit: Unit of lengths in a CSV file: mm, cm or m.
        dataset: Name of the dataset that the examples store.

    Raises:
        UserError: the file is missing or its head is wrong; while reading, an example is.
    """
    path = pathlib.Path(path)
    if path.suffix not in (".jsonl", ".csv"):
        raise UserError(f"Manifest '{path}' must be a .jsonl or a .csv file.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        cameras = json.loads(pathlib.Path(cameras_path).read_text()) if cameras_path else {}
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"Cannot read the manifest or its cameras: {error}.") from error
    head: dict[str, Any] = {"edges": edges, "unit": unit, "cameras": cameras}
    lines: _Lines
    if path.suffix == ".csv":
        head["joints"], lines = _csv_lines(path, text)
    else:
        first, lines = _json_lines(path, text)
        of_head = first.get("cameras") or {}
        if not isinstance(of_head, dict):
            raise _error(path, 1, "cameras", "must be an object {name: description, ...}")
        head.update(first)
        head["cameras"] = {**cameras, **of_head} if isinstance(cameras, dict) else cameras
    if not isinstance(head["cameras"], dict):
        raise UserError(f"'{cameras_path}' must hold a JSON object {{name: description, ...}}.")
    joint_info = _joint_info(path, head)
    if not isinstance(head["unit"], str) or head["unit"] not in _MM_PER_UNIT:
        raise _error(path, 1, "unit", f"must be mm, cm or m, not {head['unit']!r}")
    reader = ExampleReader(
        path.parent,
        pathlib.Path(data_root),
        joint_info,
        head["cameras"],
        _MM_PER_UNIT[head["unit"]],
        dataset,
    )
    return Manifest(joint_info, _examples(path, reader, lines))


def _examples(
    path: pathlib.Path, reader: ExampleReader, lines: _Lines
) -> Iterator[tuple[str, Pose3DExample]]:
    for number, fields in lines:
        try:
            yield reader.read(fields)
        except FieldError as error:
            raise _error(path, number, error.field, error.reason) from error


def _json_lines(path: pathlib.Path, text: str) -> tuple[dict[str, Any], _Lines]:
    def _parsed() -> _Lines:
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                try:
                    value = json.loads(line)
                except RecursionError as error:
                    raise _error(path, number, "", "is not JSON: nested too deeply") from error
                except ValueError as error:  # also numbers with thousands of digits
                    raise _error(path, number, "", f"is not JSON: {error}") from error
                if not isinstance(value, dict):
                    raise _error(path, number, "", "must be a JSON object: {...}")
                yield number, value

    lines = _parsed()
    _, head = next(lines, (1, {}))
    unknown = sorted(set(head) - {"joints", "edges", "unit", "cameras"})
    if unknown:
        raise _error(
            path,
            1,
            unknown[0],
            "is unknown; the first line has joints, edges, unit and cameras, examples follow",
        )
    return dict(head), lines


def _csv_lines(path: pathlib.Path, text: str) -> tuple[list[str], _Lines]:
    first_line = text.partition("\n")[0]
    delimiter = ";" if first_line.count(";") > first_line.count(",") else ","
    reader = csv.DictReader(text.splitlines(), strict=True, delimiter=delimiter)
    columns = list(reader.fieldnames or [])
    joint_columns = [column for column in columns if column not in _CSV_FIELDS]
    joints = list(dict.fromkeys(column.rpartition("_")[0] for column in joint_columns))
    expected = [f"{joint}_{axis}" for joint in joints for axis in _AXES]
    for column in joint_columns:
        if column not in expected:
            raise _error(
                path,
                1,
                column,
                f"is unknown; columns are {', '.join(_CSV_FIELDS)} and "
                "NAME_x, NAME_y, NAME_z of every joint",
            )
    for column in ("image", "camera", *expected):
        if column not in columns:
            raise _error(path, 1, column, "is missing among the columns")

    def _parsed() -> _Lines:
        try:
            for row in reader:
                yield reader.line_num, _from_csv(path, reader.line_num, row, joints)
        except csv.Error as error:
            raise _error(path, reader.line_num, "", f"is not CSV: {error}") from error

    return joints, _parsed()


def _from_csv(
    path: pathlib.Path, number: int, row: Mapping[str, Any], joints: list[str]
) -> dict[str, Any]:
    """Returns a row in the form of a JSON example; empty cells count as not there."""
    if None in row or None in row.values():
        raise _error(path, number, "", "has another number of cells than the first line")

    def _numbers(columns: list[str]) -> Optional[list[float]]:
        cells = [row.get(column, "").strip() for column in columns]
        if all(cell.lower() in _MISSING for cell in cells):
            return None
        values = []
        for column, cell in zip(columns, cells):
            try:
                values.append(float(cell))
            except ValueError:
                raise _error(path, number, column, f"must be a number, not '{cell}'") from None
        return values

    fields: dict[str, Any] = {name: row[name] for name in _CSV_FIELDS[:4] if row.get(name)}
    box = _numbers(list(_CSV_BOX))
    if box is not None:
        fields["box"] = box
    known = {name: _numbers([f"{name}_{axis}" for axis in _AXES]) for name in joints}
    fields["joints3d"] = {name: point for name, point in known.items() if point is not None}
    return fields


def _joint_info(path: pathlib.Path, head: Mapping[str, Any]) -> JointInfo:
    names = head.get("joints")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise _error(path, 1, "joints", "must list the names of the joints")
    names = [joint_name(name) for name in names]
    if not isinstance(head["edges"], str):
        raise _error(path, 1, "edges", "must be text such as 'neck-lsho-lelb,neck-head'")
    chains = [
        [joint_name(name) for name in chain.split("-") if name]
        for chain in head["edges"].replace(" ", "").split(",")
    ]
    unknown = {name for chain in chains for name in chain} - set(names)
    if unknown:
        raise _error(path, 1, "edges", f"has the unknown joint '{sorted(unknown)[0]}'")
    try:
        return JointInfo(names, ",".join("-".join(chain) for chain in chains))
    except UserError as error:
        raise _error(path, 1, "joints", str(error)) from error


def _error(path: Union[str, os.PathLike[str]], line: int, field: str, reason: str) -> UserError:
    place = f", field '{field}'" if field else ""
    return UserError(f"Manifest '{path}', line {line}{place}: {reason}.")
