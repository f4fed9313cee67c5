from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.models import heads
from tests.golden.tolerances import assert_close

GRID = dict(proc_side=256, stride=32, centered_stride=True)


@pytest.fixture
def logits():
    return tf.constant(np.random.default_rng(0).normal(0, 2, [2, 5, 7, 4, 3]).astype(np.float32))


def test_softmax_sums_to_one_over_all_its_axes(logits):
    assert_close(tf.reduce_sum(heads.softmax(logits, (1, 2, 3)), (1, 2, 3)), np.ones([2, 3]))


def test_soft_argmax_of_a_sharp_peak_is_its_position():
    logits = np.zeros([1, 5, 9, 1], np.float32)
    logits[0, 1, 6, 0] = 100
    assert_close(heads.soft_argmax(logits, (2, 1)), [[[6 / 8, 1 / 4]]])


def test_soft_argmax_of_equal_logits_is_the_middle():
    assert_close(heads.soft_argmax(tf.zeros([1, 4, 6, 3, 2]), (2, 1, 3)), np.full([1, 2, 3], 0.5))


def test_soft_argmax_ignores_a_common_offset_however_large(logits):
    assert_close(
        heads.soft_argmax(logits + 1e4, (2, 1, 3)), heads.soft_argmax(logits, (2, 1, 3)), rtol=1e-3
    )


def test_soft_argmax_is_the_decoded_softmax(logits):
    axes = (2, 1, 3)
    expected = heads.decode_heatmap(heads.softmax(logits, axes), axes)
    assert_close(heads.soft_argmax(logits, axes), expected)


def test_soft_argmax_turns_half_precision_into_single(logits):
    assert heads.soft_argmax(tf.cast(logits, tf.float16), (2, 1, 3)).dtype == tf.float32


def test_an_axis_with_one_cell_gives_zero():
    assert_close(heads.soft_argmax(tf.ones([1, 1, 3, 2]), (2, 1)), [[[0.5, 0], [0.5, 0]]])


@pytest.mark.parametrize(
    "side, stride, centered, first, last",
    [(256, 32, True, 16, 240), (256, 32, False, 0, 224), (384, 32, True, 16, 368)],
)
def test_outermost_cells_lie_at_the_outermost_feature_centers(side, stride, centered, first, last):
    corners = tf.constant([[0.0, 0.0], [1.0, 1.0]])
    coords_px = heads.heatmap_to_image(
        corners, proc_side=side, stride=stride, centered_stride=centered
    )
    np.testing.assert_array_equal(coords_px, [[first] * 2, [last] * 2])


def test_metric_coordinates_by_hand():
    coords = tf.constant([0.5, 0.0, 0.25])
    metric = heads.heatmap_to_metric(coords, box_size_mm=2560.0, **GRID)
    assert_close(metric, [1280, 160, 640])


def make_heads(num_points=3, num_channels=6, **settings):
    layer = heads.HeatmapHeads(num_points, depth=4, **settings)
    layer.build([None, None, None, num_channels])
    return layer


def test_channels_are_points_then_depth_bins_with_the_point_index_fastest():
    layer = make_heads()
    logits = np.zeros([1, 8, 8, 15], np.float32)
    logits[0, 2, 5, 1] = 100  # 2D heatmap of point 1
    logits[0, 7, 0, 3 + 3 * 3 + 1] = 100  # depth bin 3 of point 1
    coords2d, coords3d_rel = layer.decode(tf.constant(logits))
    assert_close(coords2d[0, 1], [5 * 32 + 16, 2 * 32 + 16])
    assert_close(coords3d_rel[0, 1], [16 * 2200 / 256, 240 * 2200 / 256, 2200])


def test_the_stride_is_chosen_by_the_training_flag():
    layer = make_heads(stride_train=32, stride_test=16)
    corner = np.zeros([1, 2, 2, 15], np.float32)
    corner[:, 0, 0] = 100
    assert_close(layer.decode(corner, training=True)[0][0, 0], [16, 16])
    assert_close(layer.decode(corner, training=False)[0][0, 0], [8, 8])
    assert_close(layer.decode(corner)[0][0, 0], [8, 8])


def test_outputs_are_single_precision_under_mixed_precision():
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        layer = make_heads()
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert layer.conv(tf.zeros([1, 8, 8, 6])).dtype == tf.float16
    assert {c.dtype for c in layer(tf.zeros([1, 8, 8, 6]))} == {tf.float32}


@pytest.mark.parametrize("settings", [{}, {"jit_compile": True}])
def test_decoding_compiles_and_gives_the_same(settings):
    layer = make_heads()
    logits = tf.random.stateless_normal([2, 8, 8, 15], [0, 1])
    for compiled, eager in zip(
        tf.function(layer.decode, **settings)(logits), layer.decode(logits)
    ):
        assert_close(compiled, eager)


def test_decoding_works_without_static_shapes():
    layer = make_heads()
    signature = [tf.TensorSpec([None, None, None, 15], tf.float32)]
    logits = tf.random.stateless_normal([2, 8, 6, 15], [0, 1])
    dynamic = tf.function(layer.decode, input_signature=signature)
    for actual, eager in zip(dynamic(logits), layer.decode(logits)):
        assert_close(actual, eager)


def test_a_smaller_head_gives_the_same_coordinates_in_the_last_points():
    large, small = make_heads(num_points=5), make_heads(num_points=2)
    large.set_last_point_weights(*small.conv.get_weights())
    features = tf.random.stateless_normal([2, 8, 8, 6], [0, 1])
    for ours, theirs in zip(large(features), small(features)):
        assert_close(ours[:, -2:], theirs)


@pytest.mark.parametrize("settings", [dict(num_points=4), dict(num_channels=7)])
def test_heads_that_do_not_fit_are_refused(settings):
    other = make_heads(**settings)
    with pytest.raises(UserError, match="do not fit"):
        make_heads(num_points=3).set_last_point_weights(*other.conv.get_weights())


def test_configuration_round_trips():
    layer = make_heads(proc_side=384, centered_stride=False)
    assert heads.HeatmapHeads.from_config(layer.get_config()).get_config() == layer.get_config()


def test_detached_points_train_the_head_but_not_the_features():
    layer = heads.HeatmapHeads(3, depth=4, num_detached_points=2)
    features = tf.constant(np.random.default_rng(0).normal(0, 1, [1, 8, 8, 6]).astype(np.float32))
    layer.build(features.shape)
    plain = heads.HeatmapHeads(3, depth=4)
    plain.build(features.shape)
    plain.set_weights(layer.get_weights())
    for outputs in zip(layer(features), plain(features)):
        assert_close(*outputs)
    for points, reaches_features in ((slice(0, 2), False), (slice(2, 3), True)):
        with tf.GradientTape() as tape:
            tape.watch(features)
            total = tf.add_n([tf.reduce_sum(c[:, points, 0]) for c in layer(features)])
        of_features, of_kernel = tape.gradient(total, [features, layer.conv.kernel])
        assert np.any(of_features) == reaches_features
        assert np.any(of_kernel)
