"""Where nodes stand in the graph, and their panels."""

from __future__ import annotations

from typing import Any

from . import _events
from ._guard import guarded
from ._session import session


@guarded
class Shown:
    """Selection, position, panel."""

    _class: str
    _parent: Any
    _knobs: dict[str, Any]
    _shown: bool

    def setSelected(self, selected: bool) -> None:
        self._knobs["selected"]._value = [float(selected)]

    def isSelected(self) -> bool:
        return bool(self._knobs["selected"]._read())

    def selectOnly(self) -> None:
        for node in self._parent._children if self._parent is not None else []:
            node.setSelected(node is self)

    def xpos(self) -> int:
        return int(self._knobs["xpos"]._number())

    def ypos(self) -> int:
        return int(self._knobs["ypos"]._number())

    def setXpos(self, x: int) -> None:
        self._knobs["xpos"]._set(x)

    def setYpos(self, y: int) -> None:
        self._knobs["ypos"]._set(y)

    def setXYpos(self, x: int, y: int) -> None:
        self._knobs["xpos"]._set(x)
        self._knobs["ypos"]._set(y)

    def screenWidth(self) -> int:
        return 12 if self._class == "Dot" else 80

    def screenHeight(self) -> int:
        return 12 if self._class == "Dot" else 18

    def autoplace(self) -> None:
        above = self.input(0)
        if above is not None:
            self.setXYpos(above.xpos(), above.ypos() + 40)

    def showControlPanel(self, forceFloat: bool = False) -> None:
        """Opens the panel; in a terminal there is none."""
        if session().gui:
            self._shown = True
            _events.pseudo_changed(self, "showPanel")

    def hideControlPanel(self) -> None:
        self._shown = False

    def shown(self) -> bool:
        return self._shown

    def redraw(self) -> None:
        """Nothing to draw."""

    def forceValidate(self) -> None:
        """Nothing is cached."""
