from __future__ import annotations

import tarfile

import numpy as np
import pytest
import tensorflow as tf

from ckpt_tools import import_efficientnetv2 as command
from metrabs.backbones.weights_files import load_weights_file
from metrabs.errors import UserError
from tests.ckpt_tools.common import official_layout as layout


@pytest.fixture
def _tiny_network(monkeypatch):
    def builder(size):
        return lambda weights: layout.build_tiny_backbone(size).layers[-1]

    monkeypatch.setattr(command, "efficientnetv2", builder)


def official(folder, has_averages=True, drop=None):
    """Writes a checkpoint as published: with optimizer state, averages and a classifier."""
    values = layout.random_values(layout.tiny_network_shapes())
    averages = layout.random_values(layout.tiny_network_shapes(), seed=1)
    stored = {"global_step": np.int64(7)}
    for name, value in values.items():
        if name != drop:
            stored[f"efficientnetv2-b0/{name}"] = value
            stored[f"efficientnetv2-b0/{name}/RMSProp"] = np.zeros_like(value)
        if has_averages and "moving" not in name:
            stored[f"efficientnetv2-b0/{name}/ExponentialMovingAverage"] = averages[name]
    stored["efficientnetv2-b0/head/dense/kernel"] = np.zeros([6, 1000], np.float32)
    layout.write_name_based_checkpoint(folder / "model", stored)
    return values, averages


def read_back(path):
    network = layout.build_tiny_backbone("b0").layers[-1]
    load_weights_file(network, str(path))
    return {weight.name.partition(":")[0]: weight.numpy() for weight in network.weights}


@pytest.mark.parametrize("use_averages", [False, True])
@pytest.mark.usefixtures("_tiny_network")
def test_weights_arrive_in_a_file_that_backbones_load(use_averages, tmp_path):
    values, averages = official(tmp_path / "official")
    count = command.import_efficientnetv2(
        tmp_path / "official", "EfficientNetV2_B0", tmp_path / "w.h5", use_averages
    )
    weights = read_back(tmp_path / "w.h5")
    assert count == len(values) == len(weights)
    chosen = averages if use_averages else values
    np.testing.assert_array_equal(weights["stem_conv/kernel"], chosen["stem/conv2d/kernel"])
    np.testing.assert_array_equal(
        weights["block1a_project_bn/beta"], chosen["blocks_0/tpu_batch_normalization/beta"]
    )
    # Moving statistics have no average.
    np.testing.assert_array_equal(
        weights["top_bn/moving_mean"], values["head/tpu_batch_normalization/moving_mean"]
    )


@pytest.mark.usefixtures("_tiny_network")
def test_the_published_archive_is_read(tmp_path):
    values, _ = official(tmp_path / "efficientnetv2-b0")
    with tarfile.open(tmp_path / "b0.tgz", "w:gz") as tar:
        tar.add(tmp_path / "efficientnetv2-b0", arcname="efficientnetv2-b0")
    command.import_efficientnetv2(tmp_path / "b0.tgz", "efficientnetv2-b0", tmp_path / "w.h5")
    np.testing.assert_array_equal(
        read_back(tmp_path / "w.h5")["top_conv/kernel"], values["head/conv2d/kernel"]
    )


@pytest.mark.usefixtures("_tiny_network")
def test_missing_variables_and_averages_are_refused(tmp_path):
    official(tmp_path / "a", drop="stem/conv2d/kernel")
    with pytest.raises(UserError, match="lacks 1 of"):
        command.import_efficientnetv2(tmp_path / "a", "efficientnetv2-b0", tmp_path / "w.h5")
    official(tmp_path / "b", has_averages=False)
    with pytest.raises(UserError, match="no moving averages"):
        command.import_efficientnetv2(tmp_path / "b", "efficientnetv2-b0", tmp_path / "w.h5", True)
    assert not (tmp_path / "w.h5").exists()


@pytest.mark.parametrize(
    ("backbone", "output", "message"),
    [("resnet50", "w.h5", "Known: efficientnetv2-b0"), ("efficientnetv2-b0", "w.txt", ".h5")],
)
def test_other_backbones_and_files_are_refused(backbone, output, message, tmp_path):
    with pytest.raises(UserError, match=message):
        command.import_efficientnetv2(tmp_path, backbone, tmp_path / output)


@pytest.mark.usefixtures("_tiny_network")
def test_damaged_archive_is_named(tmp_path):
    (tmp_path / "b0.tgz").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="b0.tgz"):
        command.import_efficientnetv2(tmp_path / "b0.tgz", "efficientnetv2-b0", tmp_path / "w.h5")


@pytest.mark.slow
def test_the_whole_network_is_covered(tmp_path):
    values = layout.random_values(layout.efficientnetv2_b0_shapes())
    layout.write_name_based_checkpoint(
        tmp_path / "model", {f"efficientnetv2-b0/{name}": v for name, v in values.items()}
    )
    count = command.import_efficientnetv2(tmp_path, "efficientnetv2-b0", tmp_path / "w.h5")
    assert count == len(values)
    network = tf.keras.applications.EfficientNetV2B0(include_top=False, weights=None)
    load_weights_file(network, str(tmp_path / "w.h5"))
    np.testing.assert_array_equal(
        network.get_layer("block5c_dwconv2").get_weights()[0],
        values["blocks_10/depthwise_conv2d/depthwise_kernel"],
    )


@pytest.mark.parametrize("flag", ["checkpoint", "source"])
def test_command_refuses_the_weights_of_another_network(flag, tmp_path, capsys):
    layout.write_name_based_checkpoint(tmp_path / "model", {"v": np.float32(1)})
    arguments = [
        f"--{flag}={tmp_path}",
        "--backbone=efficientnetv2-b0",
        f"--output={tmp_path / 'w.h5'}",
    ]
    assert command.main(arguments) == 1
    assert "lacks" in capsys.readouterr().err
