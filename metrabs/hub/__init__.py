"""Loading models by name, URL or path.

    model = metrabs.load_model("metrabs_s")
    poses = model.detect_poses(image)

A model is downloaded once, verified, and kept in the cache folder of TensorFlow Hub
(`$TFHUB_CACHE_DIR`, by default `tfhub_modules` in the folder for temporary files).
"""

from __future__ import annotations

import os
from typing import Any, Union

from metrabs.errors import UserError
from metrabs.hub.argument_checks import check_arguments
from metrabs.hub.catalog import known_names
from metrabs.hub.download import DownloadSettings
from metrabs.hub.resolver import resolve

__all__ = ["DownloadSettings", "known_names", "load_model", "resolve"]


def load_model(name_or_path_or_url: Union[str, os.PathLike[str]], **options: Any) -> Any:
    """Loads a model by `tf.saved_model.load`; downloads it first if necessary.

    The functions of full-image models check their arguments before a call, see
    `metrabs.hub.argument_checks`.

    Args:
        name_or_path_or_url: See `resolve`.
        **options: Further arguments of `resolve`, such as `sha256` or `mirrors`.

    Raises:
        UserError: as `resolve`, or the files are damaged.
    """
    path = resolve(name_or_path_or_url, **options)
    import tensorflow as tf  # takes seconds; `resolve` does not need it

    try:
        return check_arguments(tf.saved_model.load(str(path)))
    except (OSError, ValueError, IndexError, tf.errors.OpError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"The SavedModel '{path}' cannot be loaded ({reason}). It is damaged or incomplete: "
            "remove that folder and download the model again."
        ) from error
