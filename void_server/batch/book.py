"""What has become of each shot so far, with a picture of every result and a report that grows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from void_client.colour import Colour
from void_client.errors import BadInput

from .prepare import PICTURE, Outcome, Task, output_of
from .report import WORDS, write_report
from .timeline import Edit, Shot

# Write a picture of one frame: where, the plate's file, the result's, and the working space of both. Raises BadInput.
WritePicture = Callable[[Path, Path, Path, Colour], None]


class Book:
    """The outcomes of a batch in the timeline's order; a task has none until it is told of."""

    def __init__(
        self, edit: Edit, found: list[Task | Outcome], out: Path, picture: WritePicture, say: Callable[[str], None]
    ) -> None:
        self._edit = edit
        self._shots = [entry.shot for entry in found]
        self._out = out
        self._picture = picture
        self._say = say
        self._known: dict[str, Outcome] = {}
        for outcome in found:
            if isinstance(outcome, Outcome):
                self.take(outcome)

    def outcomes(self) -> list[Outcome]:
        """All of them; what nothing is known of counts as not begun."""
        return [self._known.get(shot.name, Outcome(shot, "left")) for shot in self._shots]

    def take(self, outcome: Outcome) -> None:
        """Tell of a shot that has ended."""
        name = outcome.shot.name
        self._known[name] = outcome
        self._draw(outcome)
        write_report(self._edit, self.outcomes(), self._out)
        words = f"{WORDS[outcome.state]}: {outcome.reason}" if outcome.reason else WORDS[outcome.state]
        self._say(f"{name}: {words} ({len(self._known)} of {len(self._shots)} shots)")

    def _draw(self, outcome: Outcome) -> None:
        """A picture of the result's middle frame, unless it is there."""
        shot, output = outcome.shot, output_of(outcome.shot, self._out)
        target = output.folder / PICTURE
        if not isinstance(shot, Shot) or not outcome.manifest or (outcome.state == "kept" and target.exists()):
            return
        frame = (shot.frames.first + shot.frames.last) // 2
        try:
            plate = shot.inputs["plate"].path(frame)
            self._picture(target, plate, output.path(frame), outcome.manifest["colourspace"])
        except BadInput as error:
            self._say(f"{shot.name}: note: {error}")
