"""Reading variables by name from checkpoints and SavedModels, without building any model.

TensorFlow stores variables under keys that follow the Python objects that own them, together
with a graph of these objects that has the names of the variables. So does a SavedModel, in its
folder `variables`. In older checkpoints the names themselves are the keys.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Optional

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from metrabs.errors import UserError
from metrabs.files import PathLike

_OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
# What TensorFlow's reader raises for damaged files.
_DAMAGE = (tf.errors.OpError, ValueError, IndexError, RuntimeError)


@dataclasses.dataclass(frozen=True)
class StoredVariable:
    """One variable of a file.

    Attributes:
        name: Name given by its creator, without ':0', such as 'stem_conv/kernel'.
        key: Key under which the file stores it.
        dtype: Type of the stored values.
        shape: Shape of the stored values.
    """

    name: str
    key: str
    dtype: tf.DType
    shape: tuple[int, ...]

    @property
    def num_values(self) -> int:
        """Number of stored values."""
        return int(np.prod(self.shape, dtype=np.int64))


class StoredVariables:
    """The variables of a checkpoint or SavedModel.

    Args:
        path: Folder of a SavedModel, folder with checkpoints (the last one is read), or a
            checkpoint, with or without the ending `.index`.

    Attributes:
        path: Path without the file ending, as TensorFlow expects it.
        variables: All variables, ordered by key.

    Raises:
        UserError: there is neither, or it is damaged.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = find_variables(path)
        try:
            self._reader = tf.train.load_checkpoint(str(self.path))
            shapes = self._reader.get_variable_to_shape_map()
            dtypes = self._reader.get_variable_to_dtype_map()
            self._graph = self._read_graph(shapes)
        except _DAMAGE as error:
            raise UserError(
                f"'{self.path}' is damaged and cannot be read: {_first_line(error)}."
            ) from error
        names = {
            attribute.checkpoint_key: attribute.full_name
            for node in self._graph.nodes
            for attribute in node.attributes
        }
        self.variables = [
            StoredVariable(names.get(key) or key, key, dtypes[key], tuple(shapes[key]))
            for key in sorted(shapes)
            if key != _OBJECT_GRAPH_KEY and (not names or key in names)
        ]
        self._by_key = {variable.key: variable for variable in self.variables}

    def read(self, variable: StoredVariable) -> np.ndarray:
        """Returns the values of a variable.

        Raises:
            UserError: the file is damaged.
        """
        try:
            return np.asarray(self._reader.get_tensor(variable.key))
        except _DAMAGE as error:
            raise UserError(
                f"'{self.path}' is damaged: '{variable.name}' cannot be read "
                f"({_first_line(error)})."
            ) from error

    def at(self, object_path: str) -> Optional[StoredVariable]:
        """Returns the variable that an object holds as an attribute.

        Args:
            object_path: Attribute names starting from the saved object, such as
                'crop_model/joint_names'.
        """
        node_id: Optional[int] = 0 if self._graph.nodes else None
        for name in object_path.split("/"):
            node_id = None if node_id is None else self._child(node_id, name)
        return None if node_id is None else next(iter(self._variables_of(node_id)), None)

    def below(self, attribute: str) -> list[StoredVariable]:
        """Returns the variables below all attributes of a name, on any object."""
        starts = [
            child.node_id
            for node in self._graph.nodes
            for child in node.children
            if child.local_name == attribute
        ]
        seen: set[int] = set()
        while starts:
            node_id = starts.pop()
            if node_id not in seen:
                seen.add(node_id)
                starts.extend(child.node_id for child in self._graph.nodes[node_id].children)
        found = {v.key: v for node_id in seen for v in self._variables_of(node_id)}
        return [found[key] for key in sorted(found)]

    def _read_graph(
        self, shapes: dict[str, list[int]]
    ) -> trackable_object_graph_pb2.TrackableObjectGraph:
        graph = trackable_object_graph_pb2.TrackableObjectGraph()
        if _OBJECT_GRAPH_KEY in shapes:
            graph.ParseFromString(self._reader.get_tensor(_OBJECT_GRAPH_KEY))
        return graph

    def _child(self, node_id: int, name: str) -> Optional[int]:
        children = self._graph.nodes[node_id].children
        return next((c.node_id for c in children if c.local_name == name), None)

    def _variables_of(self, node_id: int) -> list[StoredVariable]:
        keys = (a.checkpoint_key for a in self._graph.nodes[node_id].attributes)
        return [self._by_key[key] for key in keys if key in self._by_key]


def find_variables(path: PathLike) -> pathlib.Path:
    """Returns the path, without file ending, of the variables of a SavedModel or checkpoint.

    Raises:
        UserError: there are none.
    """
    given = pathlib.Path(path)
    found = given.with_name(given.name[: -len(".index")]) if given.suffix == ".index" else given
    if (given / "saved_model.pb").exists():
        found = given / "variables" / "variables"
    elif given.is_dir():
        found = pathlib.Path(tf.train.latest_checkpoint(str(given)) or given)
    if not pathlib.Path(f"{found}.index").is_file():
        raise UserError(
            f"There is no checkpoint or SavedModel at '{given}'. Give a path such as "
            "<run folder>/ckpt-2000, a folder with checkpoints, or the folder of a SavedModel."
        )
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
