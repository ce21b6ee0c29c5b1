"""Putting a version in service by hand: through the gate, or with a reason that goes into the ledger.

From then on updates renew and judge its contender for the champion's place (SiteOptions.leading): the alias follows
the contender in service, whichever regraft.yaml calls champion. One promotion by hand per closed day.
"""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection

from regraft.errors import StateError
from regraft.release import gate
from regraft.release.comparison import compared
from regraft.release.evidence import Finding
from regraft.release.runs import Outcome, date_of, now
from regraft.said import Said
from regraft.setup.manifest import verify
from regraft.setup.site import DAY, Site
from regraft.state import lease, ledger, pilots, versions
from regraft.state.database import transaction
from regraft.state.versions import Version
from regraft.workbench import Workbench

BY_HAND = "promoted by hand"
MOVABLE = ("champion", "holdout")


def promote(site: Site, name: str, alias: str = "champion", accept: str = "") -> Outcome:
    """Points the alias to the version, or says why the gate does not let it: then the outcome is `kept`.

    The champion is gated: the checks after training, on the newest day closed. `accept` is a person's reason to do
    without. The alias `holdout` names a frozen policy: it needs whole files and nothing else, and updates never
    move it.

    Raises StateError where nothing would change, where the version is not fit, or where a version was promoted by hand
    since the last close and no reason is given; ModelError where its files are damaged.
    """
    if alias not in MOVABLE:
        raise StateError(
            "alias '{alias}'", "moves at every close", "one of {names}", alias=alias, names=", ".join(MOVABLE)
        )
    with lease.holding(site.engine, site.lease_name) as held:
        with transaction(site.engine) as connection:
            version, before = versions.version(connection, name), versions.alias(connection, alias)
            _demand_fit(connection, site, version, before, alias, accept)
        verify(site.versions / name, version.manifest)
        findings = _judged(site, version) if alias == "champion" and not accept else []
        promoted = gate.outcome(findings) == "pass"
        with transaction(site.engine) as connection:
            lease.demand(connection, held)
            cuts, champion = site.cuts(connection), versions.alias(connection, "champion")
            assert cuts is not None and champion is not None
            day = date_of(cuts.end - DAY)
            details = {"date": day, "reason": accept, "findings": [asdict(f) for f in findings]}
            if promoted:
                if version.state != "good":
                    versions.set_state(connection, [name], "good")
                versions.move(connection, alias, name, before.version if before else None, BY_HAND, details, now())
            else:
                ledger.append(connection, "kept", {**details, "version": name, "champion": champion.version}, now())
    served = name if promoted and alias == "champion" else champion.version
    return Outcome(0, day, "promoted" if promoted else "kept", tuple(findings), (name,), served)


def _demand_fit(
    connection: Connection, site: Site, version: Version, before: versions.Alias | None, alias: str, accept: str
) -> None:  # fmt: skip
    cuts = site.cuts(connection)
    if cuts is None:
        raise versions.none_yet(site.folder)
    if before and before.version == version.name:
        raise StateError(
            "alias '{alias}'", "points to {version} already: nothing would change", "another version",
            alias=alias, version=version.name,
        )  # fmt: skip
    pilot = pilots.running(connection)
    if pilot and alias == "champion" and version.contender != pilot.plan["control"]:
        raise StateError(
            "pilot '{pilot}'", "compares {treatment} with {control}, now champion",
            "a version of {control} while it runs", "End it first: regraft pilot decide {site}, or stop",
            pilot=pilot.name, treatment=pilot.plan["treatment"], control=pilot.plan["control"], site=site.folder,
        )  # fmt: skip
    if version.state != "good" and not (version.state == "rejected" and accept):
        raise StateError(
            "version '{version}'", "is {state}", "a good version, or a reason for a rejected one",
            "regraft promote {site} {version} --accept 'REASON'" if version.state == "rejected" else "",
            version=version.name, state=Said(version.state), site=site.folder,
        )  # fmt: skip
    day = date_of(cuts.end - DAY)
    today = [e for e in ledger.entries(connection) if e.kind == BY_HAND and e.details["date"] == day]
    if alias == "champion" and not accept and any(e.details["alias"] == alias for e in today):
        raise StateError(
            "site '{site}'", "a version was promoted by hand since {day} was closed", "one promotion by hand a day",
            "Close the next day, go back with: regraft rollback {site}, or give a reason with --accept",
            site=site.folder, day=day,
        )  # fmt: skip


def _judged(site: Site, version: Version) -> list[Finding]:
    """What the checks after training say of the version beside the one in service, on all days closed."""
    with transaction(site.engine) as connection:
        cuts, champion = site.cuts(connection), versions.alias(connection, "champion")
        assert cuts is not None and champion is not None
        in_service = versions.version(connection, champion.version)
    bench = Workbench(site, site.stream(cuts))
    seconds, period = float(version.lineage["seconds"]), len(cuts.starts)
    new = bench.released(version)
    seen = compared(bench, new, in_service, period, seconds=seconds, contender=version.contender)
    return gate.look(gate.checks(site.options.gate, "after"), seen)
