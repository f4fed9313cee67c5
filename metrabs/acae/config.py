"""Settings of the training of an affine-combining autoencoder."""

from __future__ import annotations

import dataclasses
from typing import Optional

from metrabs.errors import UserError
from metrabs.settings import setting


@dataclasses.dataclass(frozen=True)
class AcaeConfig:
    """Settings; the defaults are those of the original 48-latent weights (WACV 2023).

    Attributes:
        learning_rates: One more than there are boundaries.
        learning_rate_boundaries: First steps of the second, third ... learning rate; None divides
            the run into equal parts, for runs that are shorter than the original one.
        test_fraction: Fraction of random poses held out for testing where no test poses are given.
    """

    num_latents_sided: int = setting(
        40, "latent keypoints that come in left/right pairs, both sides counted"
    )
    num_latents_central: int = setting(8, "latent keypoints without a side")
    regul_lambda: float = setting(
        0.6, "weight of the L1 norm of both matrices (lambda in the paper)"
    )
    chiral: bool = setting(True, "share weights between the left and the right side")
    projected: bool = setting(True, "compare poses by their image projections instead of in 3D")
    batch_size: int = setting(32, "poses per step")
    num_epochs: int = setting(30, "passes over the training poses")
    num_steps: Optional[int] = setting(
        None,
        "steps, in place of --num_epochs; the learning rate is then lowered after each "
        "third of the run",
    )
    learning_rates: tuple[float, ...] = (3e-2, 3e-3, 3e-4)
    learning_rate_boundaries: Optional[tuple[int, ...]] = (150_000, 300_000)
    test_fraction: float = 0.05
    seed: int = setting(
        0, "random seed of the initial weights, the held-out poses and the order of the poses"
    )

    def __post_init__(self) -> None:
        if self.num_latents_sided < 0 or self.num_latents_sided % 2:
            raise UserError(
                f"num_latents_sided is {self.num_latents_sided}; it counts both sides, so it must "
                "be an even number."
            )
        if self.num_latents_central < 0 or self.num_latents == 0:
            raise UserError("An autoencoder needs at least one latent keypoint.")
        if not 0 <= self.test_fraction < 1:
            raise UserError(f"test_fraction must lie in [0, 1), not {self.test_fraction}.")
        if self.batch_size < 1 or self.num_epochs < 1 or (self.num_steps or 1) < 1:
            raise UserError("batch_size, num_epochs and num_steps must be at least 1.")
        boundaries = self.learning_rate_boundaries
        if boundaries is not None and len(boundaries) != len(self.learning_rates) - 1:
            raise UserError(
                f"{len(self.learning_rates)} learning rates need {len(self.learning_rates) - 1} "
                f"boundaries, not {len(boundaries)}."
            )

    @property
    def num_latents(self) -> int:
        """Number of all latent keypoints."""
        return self.num_latents_sided + self.num_latents_central

    def total_steps(self, num_train: int) -> int:
        """Returns the number of steps of the run for this many training poses.

        A pass has `ceil(num_train / batch_size)` steps; the paper leaves the rounding open.
        """
        return self.num_steps or self.num_epochs * -(-num_train // self.batch_size)

    def boundaries(self, total_steps: int) -> tuple[int, ...]:
        """Returns the first steps of the second, third ... learning rate."""
        if self.learning_rate_boundaries is not None:
            return self.learning_rate_boundaries
        num_parts = len(self.learning_rates)
        return tuple(total_steps * part // num_parts for part in range(1, num_parts))
