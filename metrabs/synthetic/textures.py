"""Procedural patterns for clothes, walls and floors: a fixed bank of tiles, made once.

Every tile is [256, 256] float32 between 0 and 1 and continues seamlessly at its borders.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

TILE_SIDE = 256
_BANK_SEED = 20220105


@functools.lru_cache(maxsize=1)
def cloth_tiles() -> np.ndarray:
    """Returns [n, 256, 256] cloth patterns; the first is plain."""
    rows, columns = np.mgrid[:TILE_SIDE, :TILE_SIDE].astype(np.float32)
    rng = np.random.default_rng(_BANK_SEED)
    tiles = [np.zeros_like(rows)]
    tiles += [(rows // width % 2) for width in (8, 16, 32)]
    tiles += [(columns // width % 2) for width in (8, 32)]
    tiles += [(rows // 16 % 2) * 0.5 + (columns // 16 % 2) * 0.5, (rows % 32 < 6).astype(float)]
    tiles += [((rows % 32 - 16) ** 2 + (columns % 32 - 16) ** 2 < 60).astype(float)]
    tiles += [((rows + columns) // 32 % 2)]
    tiles += [np.clip((cloud(rng, 8) - 0.5) * 12 + 0.5, 0, 1) for _ in range(2)]
    tiles += [cloud(rng, 16), cloud(rng, 4)]
    return np.stack(tiles).astype(np.float32)


@functools.lru_cache(maxsize=1)
def surface_tiles() -> np.ndarray:
    """Returns [n, 256, 256] patterns of walls and floors: plaster, bricks, tiles, planks..."""
    rows, columns = np.mgrid[:TILE_SIDE, :TILE_SIDE]
    rng = np.random.default_rng(_BANK_SEED + 1)
    plaster = [0.5 + 0.25 * (cloud(rng, base) - 0.5) for base in (4, 16, 64)]
    checker = [((rows // side + columns // side) % 2).astype(float) for side in (32, 64, 128)]
    tiled = [((rows % side > 2) & (columns % side > 2)) * 0.8 for side in (32, 64)]
    bricks = [
        ((rows % 32 > 3) & ((columns + 32 * (rows // 32 % 2)) % 64 > 3))
        * (0.5 + 0.4 * _blocks(rng, 8, 4))
    ]
    planks = [(rows % 32 > 1) * (0.5 + 0.4 * _blocks(rng, 8, 1)) + 0.2 * _grain(rng)]
    grass = [0.3 + 0.7 * cloud(rng, 64), 0.2 + 0.8 * cloud(rng, 32) * cloud(rng, 128)]
    blotches = [np.clip((cloud(rng, base) - 0.45) * 5, 0, 1) for base in (4, 8)]
    shelves = [(rows % 64 > 6) * _blocks(rng, 4, 32), (columns % 48 > 4) * _blocks(rng, 2, 16)]
    tiles = plaster + checker + tiled + bricks + planks + grass + blotches + shelves
    noise = 0.06 * (rng.random([len(tiles), TILE_SIDE, TILE_SIDE]) - 0.5)
    return np.clip(np.stack(tiles) + noise, 0, 1).astype(np.float32)


@functools.lru_cache(maxsize=1)
def wrinkle_tile() -> np.ndarray:
    """Returns one [256, 256] tile of soft folds, mean about 0.5."""
    return cloud(np.random.default_rng(_BANK_SEED + 2), 8)


def cloud(rng: np.random.Generator, base: int) -> np.ndarray:
    """Returns seamless fractal noise [256, 256] between 0 and 1.

    Args:
        rng: Source of randomness.
        base: cells of the coarsest octave along a side.
    """
    total = np.zeros([TILE_SIDE, TILE_SIDE], np.float32)
    amplitude = 1.0
    while base <= TILE_SIDE:
        total += amplitude * _smooth_noise(rng, base)
        amplitude *= 0.55
        base *= 2
    low, high = np.percentile(total, [1, 99])
    return np.clip((total - low) / (high - low), 0, 1)


def look_up(tile: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Returns tile values at coordinates u (column) and v (row) in tile pixels, repeating."""
    rows = v.astype(np.int32) & (TILE_SIDE - 1)
    columns = u.astype(np.int32) & (TILE_SIDE - 1)
    return tile[rows, columns]


def _smooth_noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    values = rng.random([cells, cells]).astype(np.float32)
    padded = np.pad(values, 2, mode="wrap")
    scale = TILE_SIDE // cells
    large = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return large[2 * scale : 2 * scale + TILE_SIDE, 2 * scale : 2 * scale + TILE_SIDE]


def _blocks(rng: np.random.Generator, num_rows: int, num_columns: int) -> np.ndarray:
    values = rng.random([num_rows, num_columns])
    return np.kron(values, np.ones([TILE_SIDE // num_rows, TILE_SIDE // num_columns]))


def _grain(rng: np.random.Generator) -> np.ndarray:
    return np.repeat(_smooth_noise(rng, 128)[:, :1], TILE_SIDE, axis=1)
