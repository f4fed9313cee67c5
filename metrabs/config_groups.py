"""All settings of training and prediction, in groups: name, default, unit, meaning.

Names and defaults are those of the original implementation unless a comment says otherwise.
"""

from __future__ import annotations

import dataclasses
from typing import Optional

from metrabs.folders import DataFolders
from metrabs.settings import setting

_SPLITS = ("train", "valid", "test", "trainval")
_INTERPOLATIONS = ("nearest", "linear", "cubic", "area", "lanczos4")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Location and logging of a run."""

    data_root: Optional[str] = setting(
        None,
        "folder of all data and runs; default: $DATA_ROOT, else metrabs_data in the working "
        "folder",
    )
    cache_dir: Optional[str] = setting(
        None, "folder of cache files; default: $CACHE_DIR, else cache in the data root"
    )
    logdir: str = setting("default_logdir", "run folder, relative to experiments in the data root")
    comment: str = setting("", "comment that is written to the log")
    seed: int = setting(1, "random seed of all choices", at_least=0, at_most=2**32 - 1)
    workers: Optional[int] = setting(
        None,
        "number of data loading processes; default: one per CPU core, at most 12; 0: load "
        "in-process",
        at_least=0,
    )
    multi_gpu: bool = setting(
        False, "train on all GPUs of this machine (on several machines: by TF_CONFIG)"
    )
    loglevel: str = setting("info", "log level", choices=("error", "warning", "info", "debug"))
    checkpoint_dir: Optional[str] = setting(
        None, "checkpoint folder, relative to experiments in the data root; default: the logdir"
    )
    load_path: Optional[str] = setting(
        None,
        "checkpoint to resume from, predict with or export, relative to the checkpoint folder",
    )
    init_path: Optional[str] = setting(
        None, "checkpoint with the initial weights, used if there is nothing to resume"
    )
    pred_path: Optional[str] = setting(
        None,
        "predictions file, relative to the checkpoint; .npz, or .h5 for HDF5, which is "
        "written batch by batch; default: predictions_<dataset3d>.npz",
    )
    test_time_mirror_aug: bool = setting(
        False, "average the predictions for each crop and its mirror image"
    )
    log_period: int = setting(30, "steps between log entries", unit="steps", at_least=1)
    # Not in the original implementation, which shows previews in windows.
    picture_period: Optional[int] = setting(
        None,
        "steps between previews of predicted and true poses in TensorBoard; default: none",
        at_least=1,
    )
    num_pictures: int = setting(4, "number of validation examples in these previews", at_least=1)
    # Deviation: the original implementation always logs to Weights & Biases (project 'metrabs'),
    # which needs an account and a network. Here it does so on request.
    wandb_project: Optional[str] = setting(
        None, "Weights & Biases project to also log to; default: none"
    )

    @property
    def folders(self) -> DataFolders:
        """Where data and runs are."""
        return DataFolders.at(self.data_root, self.cache_dir)


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Datasets, and how batches are composed."""

    dataset3d: str = setting("h36m", "3D dataset: a built-in name or the path of a cache file")
    dataset2d: str = setting(
        "mpii", "2D dataset: a built-in name or the path of a cache file; empty for none"
    )
    batch_size: Optional[int] = setting(
        None,
        "3D examples per step; default: 96 for merged datasets, else 32. Other sizes keep "
        "the composition of a merged dataset's batches on average",
        at_least=1,
    )
    batch_size_2d: Optional[int] = setting(None, "2D examples per step; default: 32", at_least=1)
    batch_size_test: int = setting(
        150, "examples per step in validation and prediction", at_least=1
    )
    train_on: str = setting("train", "split used for training", choices=_SPLITS)
    # Not a setting of the original implementation.
    max_broken_images: int = setting(
        1000,
        "maximum number of missing or corrupt training images. Other examples of the same "
        "dataset replace them; training stops if there are more",
        at_least=0,
    )
    released_order: bool = setting(
        False,
        "replay the random order of the original implementation, example by example; "
        "resuming then takes time proportional to the steps done",
    )
    validate_on: str = setting("valid", "split used for validation", choices=_SPLITS)
    test_on: str = setting("test", "split used for prediction", choices=_SPLITS)
    model_joints: Optional[str] = setting(
        None, "dataset whose joints the model predicts; default: dataset3d"
    )
    bone_length_dataset: Optional[str] = setting(
        None,
        "dataset whose mean bone lengths Model25D uses; default: dataset3d in training, "
        "later those it was trained with",
    )
    output_joints: Optional[str] = setting(
        None, "skeleton of the written predictions; default: all joints of the model"
    )


@dataclasses.dataclass(frozen=True)
class LoadingConfig:
    """Cropping, augmentation and interpolation of network inputs."""

    proc_side: int = setting(256, "side of the square crop", unit="pixels", at_least=32)
    geom_aug: bool = setting(True, "geometric augmentation")
    test_aug: bool = setting(False, "augment also at test time")
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
        0.7,
        "probability of background replacement (examples with a person mask)",
        at_least=0,
        at_most=1,
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
        "Metrabs",
        "Metrabs: absolute poses; Metro: root-relative poses; Model25D: absolute "
        "poses from bone lengths",
        choices=("Metrabs", "Metro", "Model25D"),
    )
    backbone: str = setting("efficientnetv2-s", "backbone name (underscores count as hyphens)")
    backbone_weights: str = setting(
        "imagenet", "initial backbone weights: 'imagenet', 'none' or a file"
    )
    dtype: str = setting(
        "float16",
        "type of computation; 16-bit types mean mixed precision",
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
    # The original implementation reads this setting without defining it: its ResNets V1 fail.
    group_norm: bool = setting(
        False, "ResNets: group normalisation (32 groups) in place of batch normalisation"
    )
    caffe_channel_order: str = setting(
        "bgr",
        "channel order of the input of ResNets V1; rgb: as in the original implementation, "
        "for its weights",
        choices=("bgr", "rgb"),
    )
    # Not in the original implementation. Some backbones average their statistics over thousands of
    # steps, more than short runs have.
    batch_norm_momentum: Optional[float] = setting(
        None,
        "momentum of the moving statistics; default: the backbone's own",
        at_least=0,
        at_most=1,
    )
    constrain_kernel_norm: float = setting(
        20.0, "largest norm of convolution kernels (EfficientNetV2); inf disables", above=0
    )
    mean_relative: bool = setting(True, "root-relative means relative to the mean of valid joints")
    weak_perspective: bool = setting(
        False, "reconstruct absolute poses by weak perspective at test time"
    )
    mix_3d_inside_fov: float = setting(
        0.5,
        "weight of the 3D head in absolute positions of joints inside the field of view",
        at_least=0,
        at_most=1,
    )
    reconstruction_scale: str = setting(
        "example",
        "normalisation of the least squares of the reconstruction: per example or per "
        "batch, as in the original implementation",
        choices=("example", "batch"),
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
        False,
        "fine-tune for consistency by predicting the latent points, with a head of all "
        "joints as their teacher",
    )
    # The original implementation reads this setting without defining it: its hybrid model fails.
    stop_gradient_whole_latenthead_to_backbone: bool = setting(
        False, "the head of latent points (--predict_all_and_latents) does not train the backbone"
    )
    # Not in the original implementation, whose data have the merged skeletons of its baseline.
    merge_joints: bool = setting(
        False, "joints of the same name are one joint in all skeleton formats"
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
        500, "number of first steps that reconstruct by weak perspective", at_least=0
    )
    loss_manif_factor: float = setting(
        1.0, "weight of the consistency loss on 3D examples", at_least=0
    )
    loss_manif_factor2d: float = setting(
        1.0, "relative weight of the consistency loss on 2D examples", at_least=0
    )
    teacher_loss_factor: float = setting(
        1.0,
        "weight of the loss between predicted latent points and those of the predicted joints",
        at_least=0,
    )
    teacher_start_step: int = setting(5000, "step after which the teacher loss is active")
    allhead_aegt_loss_factor: float = setting(
        1.0,
        "weight of the loss between autoencoded predicted joints and the ground truth, if "
        "both joints and latent points are predicted",
        at_least=0,
    )
    stop_gradient_latent: bool = setting(
        True, "the predicted joints do not learn from predicted latent points"
    )


@dataclasses.dataclass(frozen=True)
class OptimizationConfig:
    """Optimizer and training schedule."""

    training_steps: Optional[int] = setting(None, "total number of optimizer steps", at_least=1)
    base_learning_rate: float = setting(2.121e-4, "learning rate at the first step", above=0)
    weight_decay: float = setting(
        3e-3, "weight decay before normalisation by the schedule", at_least=0
    )
    dual_finetune_lr: bool = setting(
        False, "fine-tuning: low learning rate for the backbone, high one for the head"
    )
    ema_momentum: float = setting(
        1.0,
        "momentum of the moving average that replaces the weights after the last step; "
        "1 disables it",
        at_least=0,
        at_most=1,
    )
    loss_scale: float = setting(128.0, "loss scale of float16 training", at_least=1)
    dynamic_loss_scale: bool = setting(
        False,
        "adapt the loss scale: halve it and skip the step if gradients overflow, double "
        "it after 2000 other steps",
    )
    grad_accum_steps: int = setting(
        1, "number of microbatches that a batch is split into, to save memory", at_least=1
    )
    # Not in the original implementation, where an environment variable lets TensorFlow choose.
    xla: str = setting(
        "heads",
        "which parts to compile with XLA: heads (heatmap decoding, reconstruction and "
        "losses), full (the network as well), or off",
        choices=("heads", "full", "off"),
    )
    finetune_in_inference_mode: int = setting(
        0, "number of last steps with batch normalisation in inference mode", at_least=0
    )
    validate_period: Optional[int] = setting(
        None, "steps between validations; default: none", at_least=1
    )
    checkpoint_period: int = setting(2000, "steps between checkpoints", at_least=1)
