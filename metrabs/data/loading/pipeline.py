"""Batches of loaded examples, prepared in worker processes.

One task of a worker process is a whole batch of one stream (3D or 2D). A few batches are
prefetched and returned in order, so their content depends only on the seed and the step, not on
the number of workers.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np

from metrabs.config import Config, LoadingConfig
from metrabs.data.augmentation.pools import AugmentationPools
from metrabs.data.augmentation.sources import log_default_pools
from metrabs.data.examples import Example, Pose3DExample, PoseDataset
from metrabs.data.loading.corrupt_images import CorruptImageLog, load_with_fallback
from metrabs.data.loading.example_2d import load_example_2d
from metrabs.data.loading.example_3d import load_example_3d
from metrabs.data.loading.original_sampler import OriginalSampler, stream_generators
from metrabs.data.loading.sampler import BatchSampler, item_seeds, members_by_dataset
from metrabs.data.loading.worker_pool import results_in_order
from metrabs.errors import UserError
from metrabs.folders import DataFolders
from metrabs.skeletons import JointInfo

Batch = dict[str, np.ndarray]

_DEFAULT_BATCH_SIZE = 32
_BROKEN = "broken_image_paths"  # sent with a training batch from its worker to the main process
# Numbers of the streams, which make their random numbers independent.
_STREAM_3D, _STREAM_2D, _STREAM_EVALUATION = range(3)


@dataclasses.dataclass(frozen=True)
class ExampleLoader:
    """Everything that a worker needs to load any example of a stream.

    Attributes:
        examples: Examples of the stream.
        joint_info: Their joints.
        config: Loading settings.
        is_training: Whether to augment.
        dataset_name: Name of the merged dataset.
        pools: Occluders and backgrounds; None means those that are prepared in the data root.
        folders: Where data are; None means as the environment says.
    """

    examples: Sequence[Example]
    joint_info: JointInfo
    config: LoadingConfig
    is_training: bool
    dataset_name: str = ""
    pools: Optional[AugmentationPools] = None
    folders: Optional[DataFolders] = None

    def load_batch(self, indices: np.ndarray, seeds: np.ndarray) -> Batch:
        """Loads examples into one array for each of their values.

        In training, examples whose image cannot be read are replaced by others; the value
        `_BROKEN` lists these images.

        Deviation: the original stops at the first one.

        Args:
            indices: Indices [n] of the examples.
            seeds: Random seeds [n, k] of the examples.

        Raises:
            UserError: an image is missing or damaged, in training many of a dataset.
        """
        batch: Batch = {}
        broken: list[str] = []
        for slot, (index, seed) in enumerate(zip(indices.tolist(), seeds.tolist())):
            values, newly_broken = self._load_with_fallback(index, seed)
            broken += newly_broken
            for key, value in values.items():
                if slot == 0:
                    dtype = object if isinstance(value, bytes) else value.dtype
                    batch[key] = np.empty((len(indices), *np.shape(value)), dtype)
                batch[key][slot] = value
        return {**batch, _BROKEN: np.array(broken, object)} if self.is_training else batch

    def _load_with_fallback(self, index: int, seed: list[int]) -> tuple[dict[str, Any], list[str]]:
        load = functools.partial(self._load, seed=seed)
        if self.is_training:
            return load_with_fallback(load, self.examples, index, seed)
        return load(index), []

    def _load(self, index: int, seed: list[int]) -> dict[str, Any]:
        example = self.examples[index]
        rng = np.random.default_rng(seed)
        args = (self.joint_info, self.config, self.is_training, rng, self.pools)
        if isinstance(example, Pose3DExample):
            values = load_example_3d(example, *args, self.dataset_name, self.folders)
        else:
            values = load_example_2d(example, *args, self.folders)
        return {k: v.encode("utf-8") if isinstance(v, str) else v for k, v in values.items()}


def training_batches(
    dataset3d: PoseDataset,
    dataset2d: Optional[PoseDataset],
    config: Config,
    start_step: int,
    num_steps: int,
    pools: Optional[AugmentationPools] = None,
    shard_index: int = 0,
    num_shards: int = 1,
) -> Iterator[Batch]:
    """Yields the training batches of some steps, which depend only on the seed and the step.

    Several processes that train together each load their shard: shard i of n has the examples
    i, i + n, i + 2 n, ... of the joint batch, with the same augmentation as there, so every
    shard has about the same proportions of the datasets.

    Args:
        dataset3d: 3D examples; those of the split `config.data.train_on` are used.
        dataset2d: 2D examples (training and validation split), or None for 3D only.
        config: batch sizes (of the joint batch), loading settings, seed, number of workers, data
            root.
        start_step: Number of steps that are already done.
        num_steps: Number of batches to yield.
        pools: Occluders and backgrounds; default: those prepared in the data root, else synthetic
            shapes and textures.
        shard_index, num_shards: Index of the part of each batch to yield, and number of parts.

    Yields:
        {name: array [batch, ...]} as in `load_example_3d` and `load_example_2d`; images uint8,
        paths as bytes in object arrays.

    Raises:
        UserError: a merged dataset lacks a member, more images than the settings allow are missing
            or damaged, a batch cannot be divided into equal shards, a worker process died.
    """
    make_stream = functools.partial(
        _training_stream,
        config=config,
        pools=pools,
        shard_index=shard_index,
        num_shards=num_shards,
    )
    data = config.data
    streams = [make_stream(dataset3d, data.train_on, data.batch_size, stream=_STREAM_3D)]
    if dataset2d is not None:
        streams.append(make_stream(dataset2d, "trainval", data.batch_size_2d, stream=_STREAM_2D))
    if pools is None:
        log_default_pools(config.run.folders)
    steps = range(start_step, start_step + num_steps)
    tasks = (stream.task(step) for step in steps for stream in streams)
    batches = results_in_order(_load_batch, tasks, config.run.workers)
    return _merged(batches, len(streams), CorruptImageLog(data.max_broken_images))


def evaluation_batches(
    examples: Sequence[Example],
    joint_info: JointInfo,
    config: LoadingConfig,
    batch_size: int,
    workers: Optional[int] = None,
    folders: Optional[DataFolders] = None,
) -> Iterator[Batch]:
    """Yields all examples once, in order and without augmentation; the last batch may be smaller.

    Deviation: the original shuffles, so its predictions have to be matched by path.

    Args:
        examples: 3D or 2D examples.
        joint_info: their joints.
        config: loading settings; `test_aug` switches augmentation on.
        batch_size: examples per batch.
        workers: number of processes as in `metrabs.config.RunConfig`.
        folders: Where data are; default: as the environment says.

    Yields:
        As `training_batches`.

    Raises:
        UserError: an image is missing or damaged.
    """
    loader = ExampleLoader(
        examples, joint_info, config, is_training=False, folders=folders or DataFolders.at()
    )
    encoded = _encode(loader)
    starts = range(0, len(examples), batch_size)
    ranges = ((start, min(start + batch_size, len(examples))) for start in starts)
    tasks = (
        (encoded, np.arange(*ends), item_seeds(0, _STREAM_EVALUATION, *ends)) for ends in ranges
    )
    return results_in_order(_load_batch, tasks, workers)


def batch_size_of(dataset: PoseDataset, batch_size: Optional[int]) -> int:
    """Returns the batch size: as given, else the sum of `samples_per_batch`, else 32."""
    if batch_size is not None:
        return batch_size
    if not dataset.samples_per_batch:
        return _DEFAULT_BATCH_SIZE
    return sum(dataset.samples_per_batch.values())


@dataclasses.dataclass(frozen=True)
class _TrainingStream:
    """The batches of one dataset, or one shard of each batch."""

    sampler: Union[BatchSampler, OriginalSampler]
    encoded_loader: bytes
    shard_slots: slice

    def task(self, step: int) -> tuple[bytes, np.ndarray, np.ndarray]:
        """Returns the arguments of `_load_batch` for a step."""
        indices, seeds = self.sampler.sample(step)
        return self.encoded_loader, indices[self.shard_slots], seeds[self.shard_slots]


def _training_stream(
    dataset: PoseDataset,
    split: str,
    batch_size: Optional[int],
    stream: int,
    config: Config,
    pools: Optional[AugmentationPools],
    shard_index: int,
    num_shards: int,
) -> _TrainingStream:
    examples = dataset.split(split)
    size = batch_size_of(dataset, batch_size)
    if size % num_shards:
        raise UserError(
            f"Batches of {size} examples cannot be divided equally among {num_shards} "
            "processes. Choose --batch_size and --batch_size_2d as multiples of their number."
        )
    make_sampler = _original_sampler if config.data.released_order else BatchSampler
    sampler = make_sampler(examples, size, config.run.seed, dataset.samples_per_batch, stream)
    loader = ExampleLoader(
        examples, dataset.joint_info, config.loading, True, dataset.name, pools, config.run.folders
    )
    return _TrainingStream(sampler, _encode(loader), slice(shard_index, None, num_shards))


def _original_sampler(
    examples: Sequence[Example],
    batch_size: int,
    seed: int,
    samples_per_batch: Optional[Mapping[str, int]],
    stream: int,
) -> OriginalSampler:
    sections = list(members_by_dataset(examples, samples_per_batch).values())
    counts = list(samples_per_batch.values()) if samples_per_batch else [1]
    rng = stream_generators(seed)["2d" if stream == _STREAM_2D else "3d"]
    return OriginalSampler(sections, counts, batch_size, rng)


def _merged(
    batches: Iterator[Batch], num_streams: int, broken_images: CorruptImageLog
) -> Iterator[Batch]:
    """Joins the batches of all streams of a step into one dictionary."""
    while True:
        parts = list(itertools.islice(batches, num_streams))
        if not parts:
            return
        for part in parts:
            broken_images.add(part.pop(_BROKEN))
        yield {key: values for part in parts for key, values in part.items()}


def _encode(loader: ExampleLoader) -> bytes:
    """Datasets from cache files are encoded as their path, so this is small and fast to send."""
    return pickle.dumps(loader, protocol=5)


@functools.lru_cache(maxsize=8)
def _decode(encoded: bytes) -> ExampleLoader:
    return pickle.loads(encoded)


def _load_batch(encoded_loader: bytes, indices: np.ndarray, seeds: np.ndarray) -> Batch:
    return _decode(encoded_loader).load_batch(indices, seeds)
