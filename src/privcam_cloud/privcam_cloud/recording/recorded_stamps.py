"""Tells which Ω and reports are recorded already, by their stamps, also where the camera's clock was set back."""

# Stamps of reports that are remembered: more than may be repeated after a recorder was started again.
_MAX_RECENT = 8192


class RecordedStamps:
    """Stamps of what is recorded. omega_ns, report_ns: the last of each in earlier bags, 0 if there is none.

    Ω come from the bridge in the order of the edge's queue. A lower stamp after the last recorded Ω is new: the clock
    was set back. Elsewhere it is a repetition.
    """

    def __init__(self, omega_ns: int, report_ns: int) -> None:
        self.omega_ns = omega_ns
        self._report_ns = report_ns
        self._continues = False  # whether the next Ω follows the last recorded one
        self._went_back = False
        self._reports: dict[int, None] = {}

    def begin(self, stamp_ns: int) -> None:
        """Take note that the next Ω is the one behind this stamp."""
        self._continues = stamp_ns == self.omega_ns

    def is_new_omega(self, stamp_ns: int) -> bool:
        """Say whether the next Ω has to be recorded."""
        is_new = stamp_ns > self.omega_ns or (self._continues and stamp_ns < self.omega_ns)
        if is_new and stamp_ns < self.omega_ns:
            self._went_back = True
            # A recording that is played again has reports with the same stamps again.
            self._reports.clear()
        self._continues |= stamp_ns >= self.omega_ns
        return is_new

    def is_new_report(self, stamp_ns: int) -> bool:
        """Say whether a report has to be recorded. Reports follow their Ω, some later than others."""
        if stamp_ns in self._reports:
            return False
        return stamp_ns > self._report_ns or self._went_back

    def note_omega(self, stamp_ns: int) -> None:
        """Take note that an Ω was recorded."""
        self.omega_ns = stamp_ns

    def note_report(self, stamp_ns: int) -> None:
        """Take note that a report was recorded."""
        self._reports[stamp_ns] = None
        if len(self._reports) > _MAX_RECENT:
            del self._reports[next(iter(self._reports))]
