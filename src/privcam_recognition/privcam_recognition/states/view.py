"""What the states of a room are computed from: who is in view in one frame, and what they do."""

from dataclasses import dataclass

from privcam_recognition.subject_history import Subject


@dataclass(frozen=True)
class View:
    """One subject in view. label: its posture, or the most serious state, as in the caption. is_down: it lies."""

    subject: Subject
    label: str
    is_down: bool

    @property
    def subject_id(self) -> int:
        """The number under which it is seen now."""
        return self.subject.ids[0]
