"""`./privcam audit --scenarios`: which scenarios and kinds of evidence are chosen, and the exit code."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from privcam_audit.scenarios import scenario_report
from privcam_audit.scenarios.films.catalogue import SCENARIOS
from privcam_audit.scenarios.scenario_audit import BASELINE, EVIDENCE, Say, ScenarioOptions
from privcam_audit.scenarios.scenario_report import Outcome
from privcam_audit.scenarios.scene import SAME_LEVELS

# Stands for every scenario.
ALL = "all"


def choose_scenarios(text: str) -> list[str]:
    """Return the chosen names in the order of the catalogue. Raises ValueError for a name that does not exist.

    text: names with commas between; a name also stands for all that begin with it: `fall` for the four falls.
    """
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    if wanted == [ALL]:
        return list(SCENARIOS)
    unknown = [name for name in wanted if not any(known.startswith(name) for known in SCENARIOS)]
    if unknown or not wanted:
        raise ValueError(f"--scenarios {', '.join(unknown) or text}: there are {', '.join(SCENARIOS)}")
    exact = set(wanted) & set(SCENARIOS)
    return [
        known
        for known in SCENARIOS
        if known in exact or any(known.startswith(name) for name in wanted if name not in exact)
    ]


def choose_evidence(text: str) -> list[str]:
    """Return the chosen kinds of evidence. Raises ValueError for one that does not exist."""
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(wanted) - {*EVIDENCE, BASELINE})
    if unknown or not wanted:
        raise ValueError(f"--evidence {', '.join(unknown) or text}: there are {', '.join((*EVIDENCE, BASELINE))}")
    return wanted


def report_scenarios(
    groups: Iterable[Sequence[Outcome]], options: ScenarioOptions, made: Mapping[str, Any], say: Say
) -> bool:
    """Write the report after each group, print the table, and return whether something leaks that is no baseline.

    Raises ValueError where no clip could be used.
    """
    texts = {name: SCENARIOS[name].text for name in options.scenarios}
    outcomes: list[Outcome] = []
    for group in groups:
        outcomes += group
        scenario_report.write_report(outcomes, texts, made, SAME_LEVELS, options.out)
    if not outcomes:
        raise ValueError("no clip shows people, so no scenario could be made; give another clip")
    print(f"{scenario_report.markdown_table(outcomes)}\n\n{scenario_report.room_table(outcomes)}", flush=True)
    for case in scenario_report.losing(outcomes):
        say(case)
    return bool(scenario_report.losing([outcome for outcome in outcomes if outcome.evidence != BASELINE]))
