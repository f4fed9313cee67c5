"""Commands around checkpoints and exported models; see docs/reference/ckpt_tools.md."""

from metrabs.command import quiet_tensorflow

quiet_tensorflow()  # before the commands import it
