"""Reading a TensorFlow Lite network and running it with plain TensorFlow operations.

Covers the operations that EfficientDet-Lite consists of. Weights stored as 8-bit integers become
float32 numbers, activations are float32 throughout. The file is needed only when the network is
built; a SavedModel made of it needs neither the file nor its parser.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tflite

from metrabs.errors import UserError
from metrabs.estimator.detectors.packed_weights import PackedWeights
from metrabs.files import PathLike

Arrays = dict[int, np.ndarray]

_ARRAY_TYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.INT32: np.int32,
    tflite.TensorType.UINT8: np.uint8,
    tflite.TensorType.INT8: np.int8,
}
_ACTIVATIONS: dict[int, Callable[[tf.Tensor], tf.Tensor]] = {
    tflite.ActivationFunctionType.NONE: lambda x: x,
    tflite.ActivationFunctionType.RELU: tf.nn.relu,
    tflite.ActivationFunctionType.RELU6: tf.nn.relu6,
}
_PADDINGS = {tflite.Padding.SAME: "SAME", tflite.Padding.VALID: "VALID"}


@dataclasses.dataclass(frozen=True)
class _Operation:
    """One step of the network.

    Attributes:
        inputs: indices of the tensors that are its arguments.
        run: computes the output from them.
        weights: those of its arguments that are constants, laid out as TensorFlow wants them.
    """

    inputs: list[int]
    run: Callable[..., tf.Tensor]
    weights: Arrays = dataclasses.field(default_factory=dict)


class TfliteNetwork:
    """The float version of a network in a TensorFlow Lite file, up to its first custom operation.

    Args:
        path: the .tflite file.

    Attributes:
        weights: The weights, which the owner of the network has to track.
        constant_outputs: {position: array} of those outputs that are constants.

    Raises:
        UserError: the file holds an operation or a number type that is not supported.
    """

    def __init__(self, path: PathLike) -> None:
        with open(path, "rb") as file:
            model = tflite.Model.GetRootAsModel(file.read(), 0)
        graph = model.Subgraphs(0)
        constants = _read_constants(model, graph)
        self._steps, self._output_ids = _read_operations(model, graph, constants)
        self._input_id = int(graph.Inputs(0))
        weights: Arrays = {}
        for _, operation in self._steps:
            weights.update(operation.weights)
        self._weight_ids = list(weights)
        self.weights = PackedWeights(list(weights.values()))
        self.constant_outputs = {
            position: constants[i] for position, i in enumerate(self._output_ids) if i in constants
        }

    def __call__(self, images: tf.Tensor) -> dict[int, tf.Tensor]:
        """Runs the network.

        Args:
            images: `[B, height, width, channels]`, float32 numbers that the quantised input
                stands for.

        Returns:
            The outputs that are not constants, by position.
        """
        tensors = dict(zip(self._weight_ids, self.weights.unpack()))
        tensors[self._input_id] = images
        for output_id, operation in self._steps:
            tensors[output_id] = operation.run(*(tensors[i] for i in operation.inputs))
        return {
            position: tensors[i] for position, i in enumerate(self._output_ids) if i in tensors
        }


def _read_constants(model: Any, graph: Any) -> Arrays:
    """Returns the tensors whose values are in the file, dequantised, by their index."""
    constants = {}
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        data = model.Buffers(tensor.Buffer()).DataAsNumpy()
        if not isinstance(data, np.ndarray) or data.size == 0:
            continue
        if tensor.Type() not in _ARRAY_TYPES:
            raise UserError(f"Number type {tensor.Type()} in a .tflite file is not supported.")
        array = data.view(_ARRAY_TYPES[tensor.Type()]).reshape(tensor.ShapeAsNumpy())
        constants[i] = _dequantize(array, tensor.Quantization())
    return constants


def _dequantize(array: np.ndarray, quantization: Any) -> np.ndarray:
    if quantization is None or quantization.ScaleLength() == 0:
        return array
    scales = quantization.ScaleAsNumpy().astype(np.float64)
    zero_points = quantization.ZeroPointAsNumpy()
    if len(scales) > 1:
        shape = [1] * array.ndim
        shape[quantization.QuantizedDimension()] = -1
        scales, zero_points = scales.reshape(shape), zero_points.reshape(shape)
    return ((array.astype(np.float64) - zero_points) * scales).astype(np.float32)


def _read_operations(
    model: Any, graph: Any, constants: Arrays
) -> tuple[list[tuple[int, _Operation]], list[int]]:
    """Returns (output index, operation) in order, and the indices of the network's outputs."""
    steps: list[tuple[int, _Operation]] = []
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        inputs = [int(index) for index in operator.InputsAsNumpy()]
        code = model.OperatorCodes(operator.OpcodeIndex())
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if builtin == tflite.BuiltinOperator.CUSTOM:
            return steps, inputs
        if builtin not in _READERS:
            name = tflite.opcode2name(builtin)
            raise UserError(f"Operation {name} in a .tflite file is not supported.")
        steps.append((int(operator.Outputs(0)), _READERS[builtin](operator, inputs, constants)))
    return steps, [int(index) for index in graph.OutputsAsNumpy()]


def _options(operator: Any, kind: type) -> Any:
    options = kind()
    table = operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options


def _read_convolution(operator: Any, inputs: list[int], constants: Arrays) -> _Operation:
    options = _options(operator, tflite.Conv2DOptions)
    activate = _ACTIVATIONS[options.FusedActivationFunction()]
    strides = [options.StrideH(), options.StrideW()]
    padding = _PADDINGS[options.Padding()]

    def _run(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        return activate(tf.nn.bias_add(tf.nn.conv2d(x, kernel, strides, padding), bias))

    _, kernel_id, bias_id = inputs
    kernel = constants[kernel_id].transpose(1, 2, 3, 0)  # stored as output, height, width, input
    return _Operation(inputs, _run, {kernel_id: kernel, bias_id: constants[bias_id]})


def _read_depthwise(operator: Any, inputs: list[int], constants: Arrays) -> _Operation:
    options = _options(operator, tflite.DepthwiseConv2DOptions)
    activate = _ACTIVATIONS[options.FusedActivationFunction()]
    strides = [1, options.StrideH(), options.StrideW(), 1]
    padding = _PADDINGS[options.Padding()]

    def _run(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        convolved = tf.nn.depthwise_conv2d(x, kernel, strides, padding)
        return activate(tf.nn.bias_add(convolved, bias))

    _, kernel_id, bias_id = inputs
    stored = constants[kernel_id]  # 1, height, width, channels * multiplier
    multiplier = options.DepthMultiplier()
    kernel = stored.reshape(*stored.shape[1:3], stored.shape[3] // multiplier, multiplier)
    return _Operation(inputs, _run, {kernel_id: kernel, bias_id: constants[bias_id]})


def _read_pooling(operator: Any, inputs: list[int], constants: Arrays) -> _Operation:
    options = _options(operator, tflite.Pool2DOptions)
    size = [options.FilterHeight(), options.FilterWidth()]
    strides = [options.StrideH(), options.StrideW()]
    padding = _PADDINGS[options.Padding()]
    return _Operation(inputs, lambda x: tf.nn.max_pool2d(x, size, strides, padding))


def _read_addition(operator: Any, inputs: list[int], constants: Arrays) -> _Operation:
    options = _options(operator, tflite.AddOptions)
    activate = _ACTIVATIONS[options.FusedActivationFunction()]
    return _Operation(inputs, lambda x, y: activate(x + y))


def _read_resizing(operator: Any, inputs: list[int], constants: Arrays) -> _Operation:
    options = _options(operator, tflite.ResizeNearestNeighborOptions)
    size = constants[inputs[1]]

    def _run(x: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.ResizeNearestNeighbor(
            images=x,
            size=size,
            align_corners=options.AlignCorners(),
            half_pixel_centers=options.HalfPixelCenters(),
        )

    return _Operation(inputs[:1], _run)


def _read_reshaping(operator: Any, inputs: list[int], constants: Arrays) -> _Operation:
    shape = constants[inputs[1]][1:]  # the stored one begins with a batch size of one
    return _Operation(inputs[:1], lambda x: tf.reshape(x, [tf.shape(x)[0], *shape]))


def _read_concatenation(operator: Any, inputs: list[int], constants: Arrays) -> _Operation:
    axis = _options(operator, tflite.ConcatenationOptions).Axis()
    return _Operation(inputs, lambda *values: tf.concat(values, axis))


def _read_sigmoid(operator: Any, inputs: list[int], constants: Arrays) -> _Operation:
    return _Operation(inputs, tf.sigmoid)


def _read_identity(operator: Any, inputs: list[int], constants: Arrays) -> _Operation:
    return _Operation(inputs, lambda x: x)


_READERS: dict[int, Callable[[Any, list[int], Arrays], _Operation]] = {
    tflite.BuiltinOperator.CONV_2D: _read_convolution,
    tflite.BuiltinOperator.DEPTHWISE_CONV_2D: _read_depthwise,
    tflite.BuiltinOperator.MAX_POOL_2D: _read_pooling,
    tflite.BuiltinOperator.ADD: _read_addition,
    tflite.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR: _read_resizing,
    tflite.BuiltinOperator.RESHAPE: _read_reshaping,
    tflite.BuiltinOperator.CONCATENATION: _read_concatenation,
    tflite.BuiltinOperator.LOGISTIC: _read_sigmoid,
    tflite.BuiltinOperator.QUANTIZE: _read_identity,
    tflite.BuiltinOperator.DEQUANTIZE: _read_identity,
}
