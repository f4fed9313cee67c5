"""Working through images and videos: predict, draw, write; go on where an earlier call stopped."""

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
from metrabs.files import atomic_path
from metrabs.predict.cameras import CameraChoice
from metrabs.predict.given_boxes import GivenBoxes
from metrabs.predict.overlay import draw_overlay, space_of_frames
from metrabs.predict.predictor import FramePoses, Predictor
from metrabs.predict.sources import Frame, Source, Video, read_ahead, read_image
from metrabs.predict.writers import WRITERS, PoseRecord

SETTINGS_FILE = "predict_settings.json"


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What is written where.

    Attributes:
        folder: of all outputs; an input `sub/photo.jpg` gives `sub/photo.jpg.json` and so on.
        formats: of pose files, see `writers.WRITERS`.
        picture_suffix: '.jpg' or '.png' of the pictures of images; None: no pictures or videos.
        overwrite: do everything again instead of leaving out what is finished.
    """

    folder: pathlib.Path
    formats: Sequence[str] = ("json",)
    picture_suffix: Optional[str] = ".jpg"
    overwrite: bool = False

    def pose_files(self, source: Source) -> dict[str, pathlib.Path]:
        """Returns {format: file} for a source."""
        return {name: self.folder / f"{source.name}.{name}" for name in self.formats}

    def picture(self, source: Source) -> Optional[pathlib.Path]:
        """Returns the file of the picture or video with results, None if none is wanted."""
        suffix = ".mp4" if source.is_video else self.picture_suffix
        return self.folder / f"{source.name}.poses{suffix}" if self.picture_suffix else None

    def is_finished(self, source: Source) -> bool:
        """Tells whether everything exists and is newer than the source."""
        files = [*self.pose_files(source).values(), *filter(None, [self.picture(source)])]
        source_time = source.path.stat().st_mtime
        is_there = all(f.exists() and f.stat().st_mtime >= source_time for f in files)
        return is_there and not self.overwrite


@dataclasses.dataclass
class Summary:
    """What came of a run.

    Attributes:
        num_finished: sources whose outputs were written.
        num_earlier: sources that an earlier run had finished.
        num_people: poses that were estimated.
        problems: what could not be read, one message each.
    """

    num_finished: int = 0
    num_earlier: int = 0
    num_people: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)


class Run:
    """Predicts for many sources and writes their outputs.

    Args:
        predictor: the model.
        camera: that the predictor was given.
        outputs: what to write.
        model_name: as the user named the model, and `skeleton_name` as the format; for the files.
        batch_size: images given to the model at once.
        boxes: in place of detection.
        progress: shows a progress bar on the standard error stream.
    """

    def __init__(
        self, predictor: Predictor, camera: CameraChoice, outputs: Outputs, model_name: str,
        skeleton_name: str, batch_size: int = 1, boxes: Optional[GivenBoxes] = None,
        progress: bool = True,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"--batch_size must be at least 1, not {batch_size}.")
        self._predictor, self._camera, self._outputs = predictor, camera, outputs
        self._model_name, self._skeleton_name = model_name, skeleton_name
        self._batch_size, self._boxes, self._progress = batch_size, boxes, progress
        self._summary = Summary()

    def process(self, sources: Sequence[Source]) -> Summary:
        """Works through the sources; what cannot be read is reported and left out.

        Raises:
            UserError: outputs cannot be written, or memory does not suffice.
        """
        self._summary = Summary()
        todo = [source for source in sources if not self._outputs.is_finished(source)]
        self._summary.num_earlier = len(sources) - len(todo)
        is_silent = not self._progress or not todo
        with _explained_write_failures(self._outputs.folder), \
                tqdm(total=len(todo), unit="file", disable=is_silent) as bar:
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
                self._write_picture(source, frame, poses)
                self._write_poses(source, frame.image.shape, None, [0], [poses])
                bar.update()

    def _read(self, source: Source, bar: tqdm) -> Optional[Frame]:
        frame = read_image(source.path)
        if frame is None:
            self._report(f"{source.path}: it cannot be read as an image")
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
            return self._report(f"{source.path}: it has no readable frames")
        self._write_video(source, video, poses)
        self._write_poses(source, shape, video.fps, list(poses), list(poses.values()))

    def _batches(
        self, pairs: Iterable[tuple[Source, Frame]]
    ) -> Iterator[list[tuple[Source, Frame]]]:
        return _same_size_batches(read_ahead(pairs, self._batch_size + 1), self._batch_size)

    def _predict(self, batch: Sequence[tuple[Source, Frame]]) -> list[FramePoses]:
        boxes = None if self._boxes is None else [self._boxes.of(*pair) for pair in batch]
        result = self._predictor.predict([frame.image for _, frame in batch], boxes)
        self._summary.num_people += sum(poses.num_people for poses in result)
        return result

    def _write_poses(
        self, source: Source, imshape: tuple[int, ...], fps: Optional[float],
        indices: Sequence[int], frames: Sequence[FramePoses],
    ) -> None:
        record = PoseRecord(
            source.name, self._model_name, self._skeleton_name, self._predictor.skeleton,
            self._camera, (imshape[1], imshape[0]), fps, indices, frames,
        )  # fmt: skip
        for name, path in self._outputs.pose_files(source).items():
            WRITERS[name](record, path)
        self._summary.num_finished += 1

    def _write_picture(self, source: Source, frame: Frame, poses: FramePoses) -> None:
        path = self._outputs.picture(source)
        if path is None:
            return
        space = space_of_frames([poses], self._camera)
        picture = draw_overlay(frame.image, poses, self._predictor.skeleton, self._camera, space)
        with atomic_path(path) as temporary:
            if not cv2.imwrite(str(temporary), picture[..., ::-1]):
                raise UserError(f"Cannot write '{path}'.")

    def _write_video(self, source: Source, video: Video, poses: dict[int, FramePoses]) -> None:
        path = self._outputs.picture(source)
        if path is None:
            return
        # A second pass, since the space that the views show should be the same in all frames.
        space = space_of_frames(list(poses.values()), self._camera)
        pictures = (
            draw_overlay(
                frame.image, poses[frame.index], self._predictor.skeleton, self._camera, space
            )
            for frame in video.frames() if frame.index in poses
        )
        with atomic_path(path) as temporary:
            _encode_video(pictures, temporary, video.fps)

    def _frame_bar(self, source: Source, video: Video) -> tqdm:
        return tqdm(
            total=video.num_frames or None, unit="frame", desc=source.name, leave=False,
            disable=not self._progress,
        )

    def _report(self, message: str) -> None:
        self._summary.problems.append(message)
        if self._progress:
            tqdm.write(f"skipped: {message}")


def check_same_settings(outputs: Outputs, settings: dict[str, Any]) -> None:
    """Makes sure that outputs of different settings do not mix in one folder; creates it.

    Raises:
        UserError: the folder holds outputs that were made otherwise, or cannot be written.
    """
    if not outputs.overwrite:
        resumable.check_same_settings(
            outputs.folder / SETTINGS_FILE, settings,
            "Choose another --output, or give --overwrite.",
        )
    with _explained_write_failures(outputs.folder):
        outputs.folder.mkdir(parents=True, exist_ok=True)


def record_settings(outputs: Outputs, settings: dict[str, Any]) -> None:
    """Writes down the settings of all outputs in a folder, for `check_same_settings`.

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
            f"Cannot write to '{folder}' ({error}). Choose another --output, or make room."
        ) from error


def _same_size_batches(
    pairs: Iterable[tuple[Source, Frame]], batch_size: int
) -> Iterator[list[tuple[Source, Frame]]]:
    """Groups consecutive images of the same size."""
    batch: list[tuple[Source, Frame]] = []
    for pair in pairs:
        if batch and (len(batch) == batch_size
                      or pair[1].image.shape != batch[0][1].image.shape):
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch


def _encode_video(pictures: Iterator[np.ndarray], path: pathlib.Path, fps: float) -> None:
    first = next(pictures)
    size_wh = (first.shape[1], first.shape[0])
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), codec, fps, size_wh)
    try:
        if not writer.isOpened():
            raise UserError(f"OpenCV cannot encode '{path}'. Give --pictures=none to do without.")
        writer.write(first[..., ::-1])
        for picture in pictures:
            writer.write(np.ascontiguousarray(picture[..., ::-1]))
    finally:
        writer.release()
