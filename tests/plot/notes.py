"""What pictures say in small letters above their axes."""

from daskgmm.drawing.style import NOTE


def note_of(axes):
    """Return the text, empty if there is none."""
    strips = [child for child in axes.child_axes if child.get_label() == NOTE]
    return "".join(text.get_text() for strip in strips for text in strip.texts)
