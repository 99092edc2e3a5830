"""The ledger of claims as a table on a terminal and as a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from energysim.reproduce.claims import load_claims
from energysim.reproduce.ledger import SYSTEMS, Finding, Ledger, Verdict

_STYLES = {Verdict.REPRODUCED: "green", Verdict.ONLY_IF: "yellow", Verdict.NOT: "red", Verdict.NEEDS_DATA: "dim"}
_HEAD = """# The four systems, reproduced

Every figure that the write-ups of the systems S1 to S4 claim, what energysim computes for it, and the verdict. Written
by `{command}` (energysim {version}); nothing but the claimed figures, which are the write-ups', is typed in.

- **reproduced**: the computed value is one that the printed figure stands for, under every condition tried. The
  tolerance is that of the printed digits: 43.4 is 43.35 to 43.45, ~65 is 64 to 66, 70.2 ± 1.2 and 15-30 are what they
  say; reductions ("3.2x lower") hold where they are that large or larger.
- **only if**: under the conditions listed and no others of those tried.
- **not**: under none; the closest is shown.
- **needs training data that is not here**: no finished run decides it; the command would. With `--runs DIR` finished
  runs are judged.

Energies and times are simulated (what is not modelled: [model.md](model.md)), batch 1 unless a condition says
otherwise. Memory access is what crosses DRAM in one batch with the least-traffic mapping of every layer
([schedules.md](schedules.md)); a buffer of n channels has n times the bytes of the largest plane of one image, or what
the device has for it. What the write-ups offer as commands, figures and options is no claim and not in the ledger.
"""


def ledger_table(ledger: Ledger) -> Group:
    """One table per system, and how many claims have each verdict."""
    parts: list[object] = []
    for system in SYSTEMS:
        findings = ledger.of(system)
        if findings:
            parts.append(_table(f"{system}: {load_claims(system).title}", findings))
    parts.append(summary(ledger))
    return Group(*parts, *ledger.notes)  # type: ignore[arg-type]


def summary(ledger: Ledger, system: str | None = None) -> str:
    """``64 claims: 20 reproduced, ...``."""
    counts = ledger.counts(system)
    told = [f"{count} {verdict}" for verdict, count in counts.items() if count]
    return f"{sum(counts.values())} claims: {', '.join(told)}"


def ledger_page(ledger: Ledger, command: str) -> str:
    """The whole page, in Markdown."""
    lines = [_HEAD.format(command=command, version=ledger.energysim)]
    lines += [f"{summary(ledger)}.", *(f"\n{note}" for note in ledger.notes)]
    for system in SYSTEMS:
        findings = ledger.of(system)
        if findings:
            lines += ["", f"## {system}: {load_claims(system).title}", "", f"{summary(ledger, system)}.", ""]
            lines += ["| claim | claimed | computed | verdict | why | computed by |", "|:--|:--|:--|:--|:--|:--|"]
            lines += [_line(finding) for finding in findings]
    return "\n".join(lines)


def _line(finding: Finding) -> str:
    cells = (
        f"{finding.statement} ({finding.place})",
        finding.claimed,
        finding.computed,
        f"**{finding.verdict}**{': ' if finding.conditions else ''}{'; '.join(finding.conditions)}",
        finding.reason,
        f"`{finding.command}`",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _table(title: str, findings: Sequence[Finding]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", show_lines=True)
    for name, ratio in (("claim", 3), ("claimed", 2), ("computed", 3), ("verdict", 3), ("why", 5)):
        table.add_column(name, ratio=ratio, overflow="fold")
    for finding in findings:
        style = _STYLES[finding.verdict]
        conditions = "\n".join(finding.conditions)
        table.add_row(
            f"{escape(finding.statement)}\n[dim]{finding.claim_id}[/dim]",
            escape(finding.claimed),
            escape(finding.computed),
            f"[{style}]{finding.verdict}[/{style}]" + (f"\n{escape(conditions)}" if conditions else ""),
            f"{escape(finding.reason)}\n[dim]{escape(finding.command)}[/dim]",
        )
    return table
