"""The ledger of the claims of one or all systems."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from energysim.errors import NotFoundError, did_you_mean
from energysim.reproduce.check import Check, Claimed, Context
from energysim.reproduce.claims import Claim, ClaimFile, figures, load_claims
from energysim.reproduce.evidence import Evidence, judge, with_unit
from energysim.reproduce.ledger import SYSTEMS, Finding, Ledger
from energysim.reproduce.printed import parse_printed, shown
from energysim.version import __version__

Progress = Callable[[int, int, str], None]
"""(claims done, in all, the claim that is checked now)"""


def reproduce(
    systems: Sequence[str], context: Context, claims: Sequence[str] = (), progress: Progress | None = None
) -> Ledger:
    """Check every claim of the systems ("S1" ...), or only ``claims``. Raises like :func:`claims_of`."""
    printed = figures(tuple(load_claims(system) for system in SYSTEMS))
    wanted = claims_of(systems, claims)
    points = [point for _, claim in wanted for point in claim.check.points(context)]
    context.simulations.compute(points, progress)
    found = []
    for number, (file, claim) in enumerate(wanted):
        if progress is not None:
            progress(number, len(wanted), f"claim {file.system}/{claim.id}")
        found.append(_finding(file.system, claim, printed, context))
    return Ledger(tuple(found), __version__, _notes(context, len(set(points))))


def _notes(context: Context, points: int) -> tuple[str, ...]:
    """What was left out."""
    notes = ["Quick: only small images, batch 1, one device."] if context.quick else []
    if missing := len(context.simulations.missing):
        notes.append(
            f"{missing:,} of {points:,} simulations are not computed yet; the conditions that need them are left out."
        )
    return tuple(notes)


def claims_of(systems: Sequence[str], claims: Sequence[str] = ()) -> list[tuple[ClaimFile, Claim]]:
    """The claims of the systems, or only ``claims`` of them. Raises NotFoundError for a name that is unknown."""
    files = [load_claims(name) for name in systems]
    chosen = [(file, claim) for file in files for claim in file.claims]
    known = [claim.id for _, claim in chosen]
    for name in claims:
        if name not in known:
            raise NotFoundError(f"no claim {name!r}", hint=did_you_mean(name, known) or f"claims: {', '.join(known)}")
    return [(file, claim) for file, claim in chosen if not claims or claim.id in claims]


def _finding(system: str, claim: Claim, printed: dict[str, str], context: Context) -> Finding:
    claimed, own = Claimed(claim.claimed, claim.unit, printed), f"energysim reproduce {system} --claim {claim.id}"
    found = claim.check.judge(claimed, context)
    if isinstance(found, Evidence):
        found = judge(found)
    reasons = [found.reason, *from_own_figures(claim.check, claimed), claim.why or ""]
    return Finding(
        system=system,
        claim_id=claim.id,
        statement=claim.statement,
        claimed=claimed.shown,
        computed=found.computed,
        verdict=found.verdict,
        conditions=found.conditions,
        reason="; ".join(reason for reason in reasons if reason),
        command=claim.command or found.command or own,
        place=claim.place,
    )


def from_own_figures(check: Check, claimed: Claimed) -> list[str]:
    """What the write-up's other figures give for this one, from the smallest to the largest that they stand for."""
    found = []
    for names, sign in ((check.own_ratio, "/"), (check.own_difference, "-")):
        if names is None:
            continue
        one, other = (claimed.printed(name) for name in names)
        value = one.value / other.value if sign == "/" else one.value - other.value
        low = one.low / other.high if sign == "/" else one.low - other.high
        high = one.high / other.low if sign == "/" else one.high - other.low
        figure = parse_printed(claimed.text)
        agrees = "as claimed" if low <= figure.high and figure.low <= high else "not as claimed"
        told = with_unit(shown(value), claimed.unit)
        found.append(f"the write-up's own {one.text} {sign} {other.text} is {told}, {agrees}")
    return found
