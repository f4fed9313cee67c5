"""The catalog of named models with the URLs of their archives.

It contains the models that the authors of the method published (their weights are for
non-commercial use only). More models can be added by a JSON file that the environment variable
`METRABS_MODEL_CATALOG` points to:

    {"my_model": {"urls": ["https://example.org/my_model.tar.gz"], "sha256": "9f86d081..."}}
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import Any, Optional

from metrabs.errors import UserError, unknown_name_error

CATALOG_VARIABLE = "METRABS_MODEL_CATALOG"

_SERVER = "https://omnomnom.vision.rwth-aachen.de/data/metrabs"

# Trained on six datasets (2021), with crops of 256 px and a bundled detector.
_SIX_DATASET_NAMES = (
    "metrabs_eff2l_y4",
    "metrabs_eff2l_y4_360",
    "metrabs_eff2m_y4",
    "metrabs_eff2s_y4",
    "metrabs_rn18_y4",
    "metrabs_rn34_y4",
    "metrabs_rn50_y4",
    "metrabs_rn101_y4",
    "metrabs_rn152_y4",
    "metrabs_mob3l_y4",
    "metrabs_mob3s_y4",
    "metrabs_mob3l_y4t",
    "metrabs_mob3s_y4t",
    "metrabs_eff2l_y4_20211019",
    "metrabs_eff2l_y4_360_20211019",
    "metrabs_eff2s_y4_20211026",
    "metrabs_mob3l_y4t_20211019",
)

# Trained on 28 datasets (WACV'23). Keys: their well-known short links.
_SHORT_LINKS = {
    "metrabs_l": "metrabs_eff2l_y4_384px_800k_28ds",
    "metrabs_s": "metrabs_eff2s_y4_384px_800k_28ds",
    "metrabs_s_256": "metrabs_eff2s_y4_256px_1600k_28ds",
    "metrabs_xl": "metrabs_eff2xl_y4_384px_800k_28ds",
}


@dataclasses.dataclass(frozen=True)
class CatalogEntry:
    """Where to download a model.

    Attributes:
        urls: URLs of the same archive, tried in this order.
        sha256: SHA-256 digest of the archive, 64 hexadecimal digits, if known.
    """

    urls: tuple[str, ...]
    sha256: Optional[str] = None


def known_names() -> list[str]:
    """Returns the names that `find_entry` accepts, sorted."""
    return sorted(_all_entries())


def find_entry(name: str) -> CatalogEntry:
    """Returns the entry of a named model.

    Raises:
        UserError: the name is unknown, or the user's catalog cannot be read.
    """
    entries = _all_entries()
    if name not in entries:
        raise unknown_name_error("model", name, entries)
    return entries[name]


def _all_entries() -> dict[str, CatalogEntry]:
    entries = {name: CatalogEntry((f"{_SERVER}/{name}.zip",)) for name in _SIX_DATASET_NAMES}
    for short_name, name in _SHORT_LINKS.items():
        entry = CatalogEntry((f"{_SERVER}/{name}.tar.gz", f"https://bit.ly/{short_name}"))
        entries[short_name] = entries[name] = entry
    own_catalog = os.environ.get(CATALOG_VARIABLE)
    return {**entries, **_read_catalog(own_catalog)} if own_catalog else entries


def _read_catalog(path: str) -> dict[str, CatalogEntry]:
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        return {name: _parse_entry(fields) for name, fields in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{CATALOG_VARIABLE}='{path}' is not a readable model catalog ({error!r}); expected "
            'JSON like {"my_model": {"urls": ["https://..."], "sha256": "..."}}.'
        ) from error


def _parse_entry(fields: dict[str, Any]) -> CatalogEntry:
    urls = fields["urls"]
    if not isinstance(urls, list) or not urls or not all(isinstance(u, str) for u in urls):
        raise ValueError("'urls' must be a list of URLs")
    sha256 = fields.get("sha256")
    if not isinstance(sha256, (str, type(None))):
        raise ValueError("'sha256' must be a string")
    return CatalogEntry(tuple(urls), sha256)
