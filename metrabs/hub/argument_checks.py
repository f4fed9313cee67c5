"""Checks of arguments before a loaded function is called, so that threads are not blocked.

TensorFlow 2.15 keeps the lock of a function if arguments do not fit its signature: the call
fails, and then all calls of that function in other threads wait forever.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

_FUNCTION_NAMES = (
    "detect_poses", "detect_poses_batched", "estimate_poses", "estimate_poses_batched",
)  # fmt: skip


def check_arguments(model: Any, names: Iterable[str] = _FUNCTION_NAMES) -> Any:
    """Makes functions of a loaded model check names, types and shapes of arguments first.

    Args:
        model: What `tf.saved_model.load` returns. Its functions stay functions of TensorFlow:
            they can be saved again and called in graphs.
        names: Names of the functions; those that the model lacks are left out.

    Returns:
        The same model. Calls that do not fit raise `TypeError` as before, with one line that says
        what was given and what was expected.
    """
    for name in names:
        function = getattr(model, name, None)
        if isinstance(getattr(function, "function_type", None), inspect.Signature):
            function.__class__ = _checking_class(type(function), name)
    return model


def fit_arguments(
    name: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Converts arguments to tensors of the types that a signature asks for.

    Args:
        name: Name of the function, for messages.
        signature: Its `function_type`; the annotations of parameters are type specifications.
        args: Positional arguments.
        kwargs: Keyword arguments.

    Raises:
        TypeError: A name, type or shape does not fit.
    """
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise TypeError(
            f"{name}() was called with wrong arguments: {error}. Expected: "
            f"{', '.join(signature.parameters)}."
        ) from None
    fitted = {
        key: _fit(f"{name}(): {key}", value, getattr(parameter, "type_constraint", None))
        for key, value in given.items()
        for parameter in [signature.parameters[key]]
    }
    return (), fitted


def _fit(description: str, value: Any, spec: Any) -> Any:
    import tensorflow as tf  # takes seconds, and is loaded only with a model

    if isinstance(spec, tf.RaggedTensorSpec):
        if not (tf.is_tensor(value) and spec.is_compatible_with(value)):
            raise TypeError(
                f"{description} must be a ragged {spec.dtype.name} tensor of the shape "
                f"{spec.shape}, not {_describe(value)}. Make one by "
                "tf.RaggedTensor.from_row_lengths(all_boxes, number_of_boxes_per_image)."
            )
        return value
    if not isinstance(spec, tf.TensorSpec):
        return value
    try:
        tensor = tf.convert_to_tensor(value, spec.dtype)
    except (TypeError, ValueError):
        tensor = None
    if tensor is None or not spec.shape.is_compatible_with(tensor.shape):
        raise TypeError(
            f"{description} must be {spec.dtype.name} of the shape {spec.shape}, not "
            f"{_describe(value)}."
        )
    return tensor


def _describe(value: Any) -> str:
    import numpy as np

    if hasattr(value, "shape") and hasattr(value, "dtype"):
        dtype = getattr(value.dtype, "name", value.dtype)
        return f"{type(value).__name__} of type {dtype} and shape {value.shape}"
    try:
        array = np.asarray(value)
    except ValueError:
        return f"a {type(value).__name__} whose parts have different lengths"
    return f"{type(value).__name__} of shape {array.shape}" if array.ndim else repr(value)


def _checking_class(base: type, name: str) -> type:
    class Checking(base):  # type: ignore[misc, valid-type]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            args, kwargs = fit_arguments(name, self.function_type, args, kwargs)
            return super().__call__(*args, **kwargs)

    Checking.__name__, Checking.__qualname__ = base.__name__, base.__qualname__
    return Checking
