"""Where in a model an error happened: the path of the module, as a note on the exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dovetail.errors import DovetailError
from dovetail.nn.traversal import join

if TYPE_CHECKING:
    from dovetail.nn.module import Module


class Place:
    """The innermost module whose forward raised, and the way to it from the outermost one that is known."""

    __slots__ = ("innermost", "outermost", "path", "position")

    def __init__(self, module: Module, position: int) -> None:
        self.innermost = module
        self.outermost = module
        self.path = ""
        self.position = position

    def enter(self, parent: Module) -> None:
        """Extend the way by a module that the error passes through, if the outermost one is below it."""
        for path, module in parent.named_modules():
            if module is self.outermost:
                self.path = join(path, self.path) if self.path else path
                self.outermost = parent
                return

    def text(self) -> str:
        """Return the place in words: ``in net.fc1 (Linear) of Classifier``."""
        inner = type(self.innermost).__name__
        if not self.path:
            return f"in {inner}"
        return f"in {self.path} ({inner}) of {type(self.outermost).__name__}"


def note_place(error: DovetailError, module: Module) -> None:
    """Write, or lengthen, the note that says in which module the error arose."""
    place: Place | None = getattr(error, "_place", None)
    if place is None:
        notes = getattr(error, "__notes__", [])
        place = Place(module, len(notes))
        # It travels with the exception, so that each module on the way out can add its part.
        error._place = place  # type: ignore[attr-defined]
        error.add_note(place.text())
        return
    place.enter(module)
    error.__notes__[place.position] = place.text()
