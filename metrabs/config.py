"""Every setting of training and prediction, once: name, default, unit, meaning.

The command line flags are generated from these dataclasses (`metrabs/cli.py`), checkpoints and
exports carry them as JSON. Names and defaults are those of the released program unless a comment
says otherwise. Nothing below the command line ever reads a flag: functions get one of these.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any, Optional

from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.folders import DataFolders
from metrabs.settings import checked_value, setting, unknown_setting_error

_SPLITS = ("train", "valid", "test", "trainval")
_INTERPOLATIONS = ("nearest", "linear", "cubic", "area", "lanczos4")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Where a run lives and what it reports."""

    data_root: Optional[str] = setting(
        None, "folder of all data and runs; default: $DATA_ROOT, else metrabs_data in the working "
        "folder"
    )
    cache_dir: Optional[str] = setting(
        None, "folder of cache files; default: $CACHE_DIR, else cache in the data root"
    )
    logdir: str = setting("default_logdir", "run folder, relative to experiments in the data root")
    comment: str = setting("", "free text that is written to the log")
    seed: int = setting(1, "seed of every random choice", at_least=0, at_most=2**32 - 1)
    workers: Optional[int] = setting(
        None, "data loading processes; default: one per processor, at most 12; 0 loads in-process",
        at_least=0
    )
    multi_gpu: bool = setting(
        False, "train on all GPUs of this machine (on several machines: by TF_CONFIG)"
    )
    loglevel: str = setting(
        "info", "how much is logged", choices=("error", "warning", "info", "debug")
    )
    checkpoint_dir: Optional[str] = setting(
        None, "checkpoint folder, relative to experiments in the data root; default: the logdir"
    )
    load_path: Optional[str] = setting(
        None, "checkpoint to resume from, predict with or export, relative to the checkpoint "
        "folder"
    )
    init_path: Optional[str] = setting(
        None, "checkpoint that gives the initial weights where there is nothing to resume"
    )
    pred_path: Optional[str] = setting(
        None, "predictions file, relative to the checkpoint; .npz, or .h5 for HDF5, which is "
        "written batch by batch; default: predictions_<dataset3d>.npz"
    )
    test_time_mirror_aug: bool = setting(
        False, "predict the average of every crop and its mirror image"
    )
    log_period: int = setting(30, "steps between entries of the log", unit="steps", at_least=1)
    # Not in the release, which shows pictures in windows.
    picture_period: Optional[int] = setting(
        None, "steps between pictures of predicted and true poses in TensorBoard; default: none",
        at_least=1
    )
    num_pictures: int = setting(4, "how many validation examples these pictures show", at_least=1)
    # Deviation: the release always logs to Weights & Biases (project 'metrabs'), which needs an
    # account and a network. Here it does so if asked.
    wandb_project: Optional[str] = setting(
        None, "project of Weights & Biases to log to, too; default: none"
    )


    @property
    def folders(self) -> DataFolders:
        """Where data and runs are."""
        return DataFolders.at(self.data_root, self.cache_dir)


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Which examples make up a batch."""

    dataset3d: str = setting("h36m", "3D dataset: a built-in name or the path of a cache file")
    dataset2d: str = setting(
        "mpii", "2D dataset: a built-in name or the path of a cache file; empty for none"
    )
    batch_size: Optional[int] = setting(
        None, "3D examples per step; default: 96 for merged datasets, else 32. Other sizes keep "
        "the shares of a merged dataset on average", at_least=1
    )
    batch_size_2d: Optional[int] = setting(
        None, "2D examples per step; default: 32", at_least=1
    )
    batch_size_test: int = setting(
        150, "examples per step in validation and prediction", at_least=1
    )
    train_on: str = setting("train", "split used for training", choices=_SPLITS)
    # Not in the release, which knows no other way.
    max_broken_images: int = setting(
        1000, "so many different images of the training data may be missing or damaged; other "
        "examples of the same dataset take their place. Training stops when there are more",
        at_least=0
    )
    released_order: bool = setting(
        False, "replay the random order of the release, example by example; resuming then takes "
        "the longer the more steps are done"
    )
    validate_on: str = setting("valid", "split used for validation", choices=_SPLITS)
    test_on: str = setting("test", "split used for prediction", choices=_SPLITS)
    model_joints: Optional[str] = setting(
        None, "dataset whose joints the model predicts; default: dataset3d"
    )
    bone_length_dataset: Optional[str] = setting(
        None, "dataset whose mean bone lengths Model25D takes; default: in training dataset3d, "
        "later those it was trained with"
    )
    output_joints: Optional[str] = setting(
        None, "skeleton of the written predictions; default: all joints of the model"
    )


@dataclasses.dataclass(frozen=True)
class LoadingConfig:
    """How an example becomes a network input: crop, augmentation, interpolation."""

    proc_side: int = setting(256, "side of the square crop", unit="pixels", at_least=32)
    geom_aug: bool = setting(True, "geometric augmentation")
    test_aug: bool = setting(False, "augment at test time, too")
    rot_aug: float = setting(
        20.0, "largest in-plane rotation", unit="degrees", at_least=0, at_most=180
    )
    scale_aug_up: float = setting(25.0, "largest magnification", unit="percent", at_least=0)
    scale_aug_down: float = setting(
        25.0, "largest reduction", unit="percent", at_least=0, at_most=99
    )
    shift_aug: float = setting(10.0, "largest shift", unit="percent of the crop side", at_least=0)
    full_rot_aug_prob: float = setting(
        0.0, "probability of a rotation by up to 180 degrees", at_least=0, at_most=1
    )
    partial_visibility_prob: float = setting(
        0.0, "probability of cropping to a random sub-box", at_least=0, at_most=1
    )
    occlude_aug_prob: float = setting(
        0.5, "probability of synthetic occlusion (3D examples)", at_least=0, at_most=1
    )
    occlude_aug_prob_2d: float = setting(
        0.7, "probability of synthetic occlusion (2D examples)", at_least=0, at_most=1
    )
    occlude_aug_scale: float = setting(1.0, "size factor of synthetic occluders", at_least=0)
    background_aug_prob: float = setting(
        0.7, "probability of background replacement (examples with a person mask)",
        at_least=0, at_most=1
    )
    color_aug: bool = setting(True, "colour augmentation")
    antialias_train: int = setting(
        1, "supersampling factor of the crop warp in training", at_least=1
    )
    antialias_test: int = setting(
        1, "supersampling factor of the crop warp at test time", at_least=1
    )
    image_interpolation_train: str = setting(
        "linear", "interpolation in training", choices=_INTERPOLATIONS
    )
    image_interpolation_test: str = setting(
        "linear", "interpolation at test time", choices=_INTERPOLATIONS
    )
    universal_skeleton: bool = setting(
        False, "train on height-normalised targets where a dataset has them"
    )


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The crop model: backbone, head, reconstruction of absolute poses."""

    model_class: str = setting(
        "Metrabs", "Metrabs: absolute poses; Metro: root-relative ones; Model25D: absolute ones "
        "by bone lengths", choices=("Metrabs", "Metro", "Model25D")
    )
    backbone: str = setting("efficientnetv2-s", "backbone name (underscores count as hyphens)")
    backbone_weights: str = setting(
        "imagenet", "initial backbone weights: 'imagenet', 'none' or a file"
    )
    dtype: str = setting(
        "float16", "compute type; 16-bit types mean mixed precision",
        choices=("float16", "float32", "bfloat16"),
    )
    depth: int = setting(8, "depth bins of the volumetric heatmap", at_least=1)
    box_size_mm: float = setting(
        2200.0, "side of the volume that the 3D head spans", unit="mm", above=0
    )
    stride_train: int = setting(32, "output stride of the backbone in training", unit="pixels")
    stride_test: int = setting(32, "output stride of the backbone at test time", unit="pixels")
    centered_stride: bool = setting(True, "centre the sampling grid of the last strided stage")
    ghost_bn: str = setting("", "comma-separated group sizes of ghost batch normalisation")
    # The release reads this setting without defining it, which makes its ResNets V1 fail.
    group_norm: bool = setting(
        False, "ResNets: group normalisation (32 groups) in place of batch normalisation"
    )
    caffe_channel_order: str = setting(
        "bgr", "what ResNets V1 are fed; rgb: as in the release, for its weights",
        choices=("bgr", "rgb")
    )
    # Not in the release. Some backbones average their statistics over thousands of steps, which
    # short runs do not have.
    batch_norm_momentum: Optional[float] = setting(
        None, "momentum of the moving statistics; default: the backbone's own",
        at_least=0, at_most=1
    )
    constrain_kernel_norm: float = setting(
        20.0, "largest norm of convolution kernels (EfficientNetV2); inf disables", above=0
    )
    mean_relative: bool = setting(True, "root-relative means relative to the mean of valid joints")
    weak_perspective: bool = setting(
        False, "reconstruct absolute poses by weak perspective at test time"
    )
    mix_3d_inside_fov: float = setting(
        0.5, "share of the 3D head in absolute positions of joints inside the field of view",
        at_least=0, at_most=1
    )
    reconstruction_scale: str = setting(
        "example", "over what the least squares of the reconstruction are normalised "
        "('batch' is what the release does)", choices=("example", "batch")
    )
    affine_weights: Optional[str] = setting(
        None, "ACAE weights: an .npz file, or a name in skeleton_conversion in the data root"
    )
    regularize_to_manifold: bool = setting(
        False, "fine-tune for consistency by regularising the output towards the latent space"
    )
    transform_coords: bool = setting(
        False, "fine-tune for consistency by predicting the latent points and decoding them"
    )
    predict_all_and_latents: bool = setting(
        False, "fine-tune for consistency by predicting the latent points, with a head of all "
        "joints as their teacher"
    )
    # The release reads this setting without defining it, which makes its hybrid model fail.
    stop_gradient_whole_latenthead_to_backbone: bool = setting(
        False, "the head of latent points (--predict_all_and_latents) does not train the backbone"
    )
    # Not in the release, which held the merged skeletons of its baseline in its data.
    merge_joints: bool = setting(
        False, "joints of the same name are one joint, whatever their skeleton format"
    )
    load_backbone_from: Optional[str] = setting(
        None, "trained crop model (SavedModel or checkpoint) to start fine-tuning from"
    )


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms."""

    loss2d_factor: float = setting(0.2, "weight of the 2D-labelled examples", at_least=0)
    absloss_factor: float = setting(0.1, "weight of the absolute pose loss", at_least=0)
    absloss_start_step: int = setting(5000, "step after which the absolute pose loss is active")
    weak_perspective_steps: int = setting(
        500, "first steps of training that reconstruct by weak perspective", at_least=0
    )
    loss_manif_factor: float = setting(
        1.0, "weight of the consistency loss on 3D examples", at_least=0
    )
    loss_manif_factor2d: float = setting(1.0, "relative weight of it on 2D examples", at_least=0)
    teacher_loss_factor: float = setting(
        1.0, "weight of the loss between predicted latent points and those of the predicted "
        "joints", at_least=0
    )
    teacher_start_step: int = setting(5000, "step after which that loss is active")
    allhead_aegt_loss_factor: float = setting(
        1.0, "weight of the loss between autoencoded predicted joints and the truth, if both "
        "joints and latent points are predicted", at_least=0
    )
    stop_gradient_latent: bool = setting(
        True, "the predicted joints do not learn from predicted latent points"
    )


@dataclasses.dataclass(frozen=True)
class OptimizationConfig:
    """Optimizer, schedule and the rhythm of training."""

    training_steps: Optional[int] = setting(
        None, "number of optimizer steps of the whole run", at_least=1
    )
    base_learning_rate: float = setting(2.121e-4, "learning rate at the first step", above=0)
    weight_decay: float = setting(
        3e-3, "weight decay before normalisation by the schedule", at_least=0
    )
    dual_finetune_lr: bool = setting(
        False, "fine-tuning: low learning rate for the backbone, high one for the head"
    )
    ema_momentum: float = setting(
        1.0, "momentum of the moving average that replaces the weights after the last step; "
        "1 disables it", at_least=0, at_most=1
    )
    loss_scale: float = setting(128.0, "loss scale of float16 training", at_least=1)
    dynamic_loss_scale: bool = setting(
        False, "adapt the loss scale: skip steps whose gradients overflow and halve it, double it "
        "after 2000 others"
    )
    grad_accum_steps: int = setting(
        1, "parts in which a batch is worked through one after the other, to save memory",
        at_least=1
    )
    # Not in the release, where an environment variable lets TensorFlow choose what to compile.
    xla: str = setting(
        "heads", "what XLA compiles: heatmap decoding, reconstruction and losses; the network, "
        "too; or nothing", choices=("heads", "full", "off")
    )
    finetune_in_inference_mode: int = setting(
        0, "last steps that train with batch normalisation in inference mode", at_least=0
    )
    validate_period: Optional[int] = setting(
        None, "steps between validations; default: none", at_least=1
    )
    checkpoint_period: int = setting(2000, "steps between checkpoints", at_least=1)


@dataclasses.dataclass(frozen=True)
class Config:
    """All settings of a run, in groups."""

    run: RunConfig = RunConfig()
    data: DataConfig = DataConfig()
    loading: LoadingConfig = LoadingConfig()
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    optimization: OptimizationConfig = OptimizationConfig()

    def replace(self, **settings: Any) -> Config:
        """Returns a copy with some settings changed, given by their flat names.

        Args:
            **settings: for example `proc_side=128, dataset3d='synth3'`.

        Raises:
            UserError: a name is not a setting or a value is not admitted.
        """
        groups: dict[str, dict[str, Any]] = {name: {} for name in _group_names()}
        for name, value in settings.items():
            group, field_and_type = _find_setting(name)
            groups[group][name] = checked_value(*field_and_type, value)
        return dataclasses.replace(
            self,
            **{g: dataclasses.replace(getattr(self, g), **v) for g, v in groups.items() if v},
        )

    def to_flat_dict(self) -> dict[str, Any]:
        """Returns {setting name: value} over all groups."""
        flat: dict[str, Any] = {}
        for group in _group_names():
            flat.update(dataclasses.asdict(getattr(self, group)))
        return flat

    def portable(self) -> Config:
        """Returns a copy without the folders of data, which are a matter of each call."""
        return self.replace(data_root=None, cache_dir=None)

    def to_json(self) -> str:
        """Returns the settings as JSON text; `from_json` is the inverse."""
        return json.dumps(self.to_flat_dict(), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: PathLike = "the settings") -> Config:
        """Reads settings written by `to_json`; missing names keep their defaults.

        Args:
            text: what `to_json` returned.
            source: where it is from, for error messages.

        Raises:
            UserError: the text is not JSON or holds unknown names or inadmissible values.
        """
        try:
            flat = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"'{source}' is not valid JSON: {error}.") from error
        if not isinstance(flat, dict):
            raise UserError(f"'{source}' must hold one JSON object of names and values.")
        try:
            return cls().replace(**flat)
        except UserError as error:
            raise UserError(f"'{source}' cannot be used: {error}") from error


def all_settings() -> list[tuple[str, dataclasses.Field[Any], Any]]:
    """Returns (group name, dataclass field, resolved type) of every setting, in order."""
    result: list[tuple[str, dataclasses.Field[Any], Any]] = []
    for group in _group_names():
        cls = type(getattr(Config(), group))
        types = typing.get_type_hints(cls)
        result.extend((group, field, types[field.name]) for field in dataclasses.fields(cls))
    return result


def _group_names() -> list[str]:
    return [field.name for field in dataclasses.fields(Config)]


def _find_setting(name: str) -> tuple[str, tuple[dataclasses.Field[Any], Any]]:
    for group, field, kind in all_settings():
        if field.name == name:
            return group, (field, kind)
    raise unknown_setting_error(name, [field.name for _, field, _ in all_settings()])
