"""Settings that choose the variant of the model in golden files."""

from __future__ import annotations

from typing import Any

# By the word for the variant in the names of the files; their `w1` and `w2` are the autoencoder.
VARIANT_SETTINGS: dict[str, dict[str, Any]] = {
    "separate": {},
    "regul": {"affine_weights": "golden", "regularize_to_manifold": True},
    "latent": {"affine_weights": "golden", "transform_coords": True},
    "hybrid": {"affine_weights": "golden", "predict_all_and_latents": True},
}
