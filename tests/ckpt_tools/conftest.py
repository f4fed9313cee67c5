from __future__ import annotations

from tests.ckpt_tools.common.tiny import tiny_backbone  # noqa: F401  (a fixture)
