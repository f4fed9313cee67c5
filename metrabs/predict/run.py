"""Processing images and videos: predict, draw, write; an interrupted run is continued."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Optional

import cv2
import numpy as np
from tqdm import tqdm

from metrabs import resumable
from metrabs.errors import UserError
from metrabs.estimator.client import FramePoses, Predictor, same_size_batches
from metrabs.files import atomic_path
from metrabs.predict.cameras import CameraChoice
from metrabs.predict.given_boxes import GivenBoxes
from metrabs.predict.overlay import draw_overlay, space_of_frames
from metrabs.predict.sources import Frame, Source, Video, read_ahead, read_image
from metrabs.predict.writers import WRITERS, PoseRecord

SETTINGS_FILE = "predict_settings.json"


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Which files are written, and where.

    Attributes:
        folder: Folder of all outputs; an input `sub/photo.jpg` gives `sub/photo.jpg.json` etc.
        formats: Formats of pose files, see `writers.WRITERS`.
        overlay_suffix: '.jpg' or '.png', the type of images with drawn results; None: no such
            images or videos.
        overwrite: Repeat finished work instead of skipping it.
    """

    folder: pathlib.Path
    formats: Sequence[str] = ("json",)
    overlay_suffix: Optional[str] = ".jpg"
    overwrite: bool = False

    def pose_files(self, source: Source) -> dict[str, pathlib.Path]:
        """Returns {format: file} for a source."""
        return {name: self.folder / f"{source.name}.{name}" for name in self.formats}

    def overlay(self, source: Source) -> Optional[pathlib.Path]:
        """Returns the image or video file with drawn results, None if there is none."""
        suffix = ".mp4" if source.is_video else self.overlay_suffix
        return self.folder / f"{source.name}.poses{suffix}" if self.overlay_suffix else None

    def unfinished(self, sources: Sequence[Source]) -> list[Source]:
        """Returns the sources for which an output is missing or older than the source."""
        return [s for s in sources if self.overwrite or not self._is_finished(s)]

    def _is_finished(self, source: Source) -> bool:
        files = [*self.pose_files(source).values(), *filter(None, [self.overlay(source)])]
        source_time = source.path.stat().st_mtime
        return all(file.exists() and file.stat().st_mtime >= source_time for file in files)


@dataclasses.dataclass
class Summary:
    """Results of a run.

    Attributes:
        num_finished: Number of sources whose outputs were written.
        num_earlier: Number of sources that an earlier run finished.
        num_frames: Number of images and frames of videos.
        num_people: Number of people in all of them; somebody in n frames of a video counts n
            times.
        problems: One message for each unreadable source or frame.
    """

    num_finished: int = 0
    num_earlier: int = 0
    num_frames: int = 0
    num_people: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)


class Run:
    """Predicts people in many sources and writes the outputs.

    Args:
        predictor: Model with its settings.
        camera: Camera of all sources.
        outputs: Files to write.
        model_name: Name of the model for the files, as given by the user.
        skeleton_name: Name of the output format for the files, as given by the user.
        batch_size: Number of images given to the model at once.
        boxes: Boxes that replace detection.
        progress: Whether to show a progress bar on the standard error stream.
    """

    def __init__(
        self,
        predictor: Predictor,
        camera: CameraChoice,
        outputs: Outputs,
        model_name: str,
        skeleton_name: str,
        batch_size: int = 1,
        boxes: Optional[GivenBoxes] = None,
        progress: bool = True,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"--batch_size must be at least 1, not {batch_size}.")
        self._predictor, self._camera, self._outputs = predictor, camera, outputs
        self._model_name, self._skeleton_name = model_name, skeleton_name
        self._batch_size, self._boxes, self._progress = batch_size, boxes, progress
        self._summary = Summary()

    def process(self, sources: Sequence[Source]) -> Summary:
        """Processes the unfinished sources; unreadable ones are reported and skipped.

        Raises:
            UserError: outputs cannot be written, or memory does not suffice.
        """
        todo = self._outputs.unfinished(sources)
        self._summary = Summary(num_earlier=len(sources) - len(todo))
        is_silent = not self._progress or not todo
        with (
            _explained_write_failures(self._outputs.folder),
            tqdm(total=len(todo), unit="file", disable=is_silent) as bar,
        ):
            self._process_images([s for s in todo if not s.is_video], bar)
            for source in todo:
                if source.is_video:
                    self._process_video(source)
                    bar.update()
        return self._summary

    def _process_images(self, sources: Sequence[Source], bar: tqdm) -> None:
        readable = ((source, self._read(source, bar)) for source in sources)
        pairs = ((source, frame) for source, frame in readable if frame is not None)
        for batch in self._batches(pairs):
            for (source, frame), poses in zip(batch, self._predict(batch)):
                self._write_overlay(source, frame, poses)
                self._write_poses(source, frame.image.shape, None, [0], [poses])
                bar.update()

    def _read(self, source: Source, bar: tqdm) -> Optional[Frame]:
        frame = read_image(source.path)
        if frame is None:
            self._report(f"{source.path}: not readable as an image")
            bar.update()
        return frame

    def _process_video(self, source: Source) -> None:
        try:
            video = Video(source.path)
        except UserError as error:
            return self._report(str(error))
        pairs = ((source, frame) for frame in video.frames(self._report))
        poses: dict[int, FramePoses] = {}
        shape: tuple[int, ...] = ()
        with self._frame_bar(source, video) as bar:
            for batch in self._batches(pairs):
                shape = batch[0][1].image.shape
                for (_, frame), frame_poses in zip(batch, self._predict(batch)):
                    poses[frame.index] = frame_poses
                    bar.update()
        if not poses:
            return self._report(f"{source.path}: no frame is readable")
        self._write_video(source, video, poses)
        self._write_poses(source, shape, video.fps, list(poses), list(poses.values()))

    def _batches(
        self, pairs: Iterable[tuple[Source, Frame]]
    ) -> Iterator[list[tuple[Source, Frame]]]:
        ahead = read_ahead(pairs, self._batch_size + 1)
        return same_size_batches(ahead, self._batch_size, lambda pair: pair[1].image)

    def _predict(self, batch: Sequence[tuple[Source, Frame]]) -> list[FramePoses]:
        boxes = None if self._boxes is None else [self._boxes.of(*pair) for pair in batch]
        images = [frame.image for _, frame in batch]
        result = self._predictor.predict(images, boxes, self._camera.for_model())
        self._summary.num_frames += len(result)
        self._summary.num_people += sum(poses.num_people for poses in result)
        return result

    def _write_poses(
        self,
        source: Source,
        imshape: tuple[int, ...],
        fps: Optional[float],
        indices: Sequence[int],
        frames: Sequence[FramePoses],
    ) -> None:
        record = PoseRecord(
            source.name, self._model_name, self._skeleton_name, self._predictor.skeleton,
            self._camera, (imshape[1], imshape[0]), fps, indices, frames,
        )  # fmt: skip
        for name, path in self._outputs.pose_files(source).items():
            WRITERS[name](record, path)
        self._summary.num_finished += 1

    def _write_overlay(self, source: Source, frame: Frame, poses: FramePoses) -> None:
        path = self._outputs.overlay(source)
        if path is None:
            return
        space = space_of_frames([poses], self._camera)
        overlay = draw_overlay(frame.image, poses, self._predictor.skeleton, self._camera, space)
        with atomic_path(path) as temporary:
            if not cv2.imwrite(str(temporary), overlay[..., ::-1]):
                raise UserError(f"Cannot write '{path}'.")

    def _write_video(self, source: Source, video: Video, poses: dict[int, FramePoses]) -> None:
        path = self._outputs.overlay(source)
        if path is None:
            return
        # A second pass, since the views should show the same space in all frames.
        space = space_of_frames(list(poses.values()), self._camera)
        overlays = (
            draw_overlay(
                frame.image, poses[frame.index], self._predictor.skeleton, self._camera, space
            )
            for frame in video.frames()
            if frame.index in poses
        )
        with atomic_path(path) as temporary:
            _encode_video(overlays, temporary, video.fps)

    def _frame_bar(self, source: Source, video: Video) -> tqdm:
        return tqdm(
            total=video.num_frames or None,
            unit="frame",
            desc=source.name,
            leave=False,
            disable=not self._progress,
        )

    def _report(self, message: str) -> None:
        self._summary.problems.append(message)
        if self._progress:
            tqdm.write(f"skipped: {message}")


def check_same_settings(outputs: Outputs, settings: dict[str, Any]) -> None:
    """Creates the folder of outputs and checks that existing ones have the same settings.

    Raises:
        UserError: the folder holds outputs of other settings, or cannot be written.
    """
    if not outputs.overwrite:
        resumable.check_same_settings(
            outputs.folder / SETTINGS_FILE,
            settings,
            "Choose another --output, or give --overwrite.",
        )
    with _explained_write_failures(outputs.folder):
        outputs.folder.mkdir(parents=True, exist_ok=True)


def record_settings(outputs: Outputs, settings: dict[str, Any]) -> None:
    """Records the settings of all outputs in a folder, for `check_same_settings`.

    Raises:
        UserError: the folder cannot be written.
    """
    with _explained_write_failures(outputs.folder):
        resumable.write_settings(outputs.folder / SETTINGS_FILE, settings)


@contextlib.contextmanager
def _explained_write_failures(folder: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write to '{folder}' ({error}). Choose another --output, or free some space."
        ) from error


def _encode_video(images: Iterator[np.ndarray], path: pathlib.Path, fps: float) -> None:
    first = next(images)
    size_wh = (first.shape[1], first.shape[0])
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), codec, fps, size_wh)
    try:
        if not writer.isOpened():
            raise UserError(
                f"OpenCV cannot encode '{path}'. Give --pictures=none to write no videos."
            )
        writer.write(first[..., ::-1])
        for image in images:
            writer.write(np.ascontiguousarray(image[..., ::-1]))
    finally:
        writer.release()
