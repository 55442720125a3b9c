"""A sequence of EXR files as a shot reads them: one frame at a time, named in every message."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from void_server.plates.exr import Layout, read_frame, read_layout
from void_server.plates.frame import Frame
from void_server.plates.working_space import LINEAR_REC709, WorkingSpace


@dataclass(frozen=True)
class Footage:
    """Frames of one sequence. `name` is what the artist calls it: plate.%04d.exr; `space` is what its RGB means."""

    name: str
    paths: dict[int, Path]
    space: WorkingSpace = LINEAR_REC709

    @property
    def frames(self) -> tuple[int, ...]:
        """The frame numbers, in order."""
        return tuple(self.paths)

    def label(self, frame: int) -> str:
        """How messages call one frame."""
        return f"frame {frame} of {self.name}"

    def layout(self, frame: int) -> Layout:
        """A frame's header. Raises BadPlate naming the frame."""
        return read_layout(self.paths[frame], self.label(frame))

    def read(self, frame: int) -> Frame:
        """A decoded frame. Raises BadPlate naming the frame."""
        return read_frame(self.paths[frame], self.label(frame))
