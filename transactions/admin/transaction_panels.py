"""What transactions show on their own page."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from evcharging.back_office.display import ago, at, badge, between, kwh, link, literal, wh, when
from evcharging.back_office.panels import Finding, PanelContent
from transactions.admin.badges import ORPHAN_KINDS, closing_badge, mark_badges, running_values
from transactions.admin.transaction_page import TRANSACTION_PAGE
from transactions.models import Closing, EstimateCause, Mark, OrphanState, Transaction
from transactions.selectors import stale_since

MAX_ROWS = 20


def facts(row: Transaction) -> list[tuple[str, Any]]:
    """Return (name, value) pairs: where, who, when, how much."""
    end = row.stopped_at or timezone.now()
    register = row.last_register_wh if row.meter_stop is None else row.meter_stop
    return [
        ("Station", link(row.station)),
        ("Connector", link(row.connector, row.connector.connector_id)),
        ("Tag", link(row.tag) if row.tag else literal(row.id_tag)),
        ("Started", when(row.started_at)),
        ("Stopped", when(row.stopped_at)),
        ("Duration", between(row.started_at, end)),
        ("Energy", kwh(row.energy_wh)),
        ("Register", f"{wh(row.meter_start) or '?'} → {wh(register) or '?'}"),
        ("Last message", ago(row.last_message_at)),
    ]


@TRANSACTION_PAGE.panel("overview", template="admin/transactions/overview.html", model="transactions.transaction")
def overview(request: HttpRequest, row: Transaction) -> PanelContent:
    """Show state, marks and facts; the estimated end beside the reported one where there are both."""
    shown = facts(row)
    if row.started_by_command is not None:
        command = row.started_by_command
        shown.append(("Started by", link(command, f"{command} of {command.requested_by}")))
    reservation = row.reservations.first()
    if reservation is not None:
        shown.append(("Reservation", link(reservation)))
    if row.stop_reason or row.stop_id_tag:
        shown.append(("Stop reason", row.stop_reason))
    if row.estimate_cause:
        shown += [
            ("Estimated end", when(row.estimated_stopped_at)),
            ("Estimated energy", kwh(row.estimated_energy_wh)),
            ("Estimated because", EstimateCause(row.estimate_cause).label),
        ]
    if row.closed_by:
        shown += [("Closed by", row.closed_by), ("Reason", row.close_note)]
    return PanelContent(
        {
            "state": closing_badge(row),
            "marks": mark_badges(row.marks) if row.marks else "",
            "now": running_values(row),
            "facts": shown,
        },
        findings(row),
    )


def findings(row: Transaction) -> list[Finding]:
    """Return what to check before the transaction is billed."""
    found = []
    if not row.accepted:
        found.append(Finding("danger", f"The tag was refused: {row.told_authorization.get('status', 'no status')}."))
    if row.closing == Closing.ESTIMATED:
        cause = EstimateCause(row.estimate_cause).label.lower()
        found.append(Finding("warning", f"Its end is an estimate ({cause}): no StopTransaction has come."))
    elif row.estimate_cause and row.estimated_energy_wh is not None and row.energy_wh is not None:
        differs = row.energy_wh - row.estimated_energy_wh
        found.append(Finding("info", f"The reported end replaced an estimate, by {differs / 1000:+.3f} kWh."))
    if row.is_open and row.last_message_at < stale_since(timezone.now()):
        silent = between(row.last_message_at, timezone.now())
        found.append(Finding("warning", f"Open, but nothing was heard of it for {silent}."))
    if row.energy_wh is None:
        found.append(Finding("warning", "Its energy is unknown: the start carried no meter reading."))
    told = {Mark.REFUSED_TAG, Mark.MISSING_STOP} if row.closing == Closing.ESTIMATED else {Mark.REFUSED_TAG}
    found += [Finding("warning", f"{Mark(mark).label}.") for mark in row.marks if mark not in told]
    return found


@TRANSACTION_PAGE.panel("stop_conflicts", title="Stop conflicts", model="transactions.stopconflict")
def conflicts(request: HttpRequest, row: Transaction) -> PanelContent:
    """Show StopTransactions that differ from the one applied; they are a finding."""
    latest = list(row.stop_conflicts.order_by("-received_at")[:MAX_ROWS])
    return PanelContent(
        {
            "headers": ["Received", "Meter stop", "Time", "Reason", "Message"],
            "rows": [
                [
                    link(conflict, at(conflict.received_at)),
                    wh(conflict.meter_stop),
                    when(conflict.reported_at),
                    conflict.stop_reason,
                    literal(str(conflict.payload)),
                ]
                for conflict in latest
            ],
            "empty": "No stop disputes the one that was applied.",
        },
        [Finding("warning", f"{len(latest)} later stops say something else; none was applied.")] if latest else [],
    )


@TRANSACTION_PAGE.panel("orphans", title="Adopted messages", model="transactions.orphanmessage")
def orphans(request: HttpRequest, row: Transaction) -> PanelContent:
    """Show the unmatched messages that were adopted."""
    rows = [
        [
            link(orphan, at(orphan.received_at)),
            orphan.get_kind_display(),
            literal(orphan.transaction_ref),
            badge(orphan.get_state_display(), ORPHAN_KINDS[OrphanState(orphan.state)]),
            orphan.resolved_by or "the system",
            orphan.resolution_note,
        ]
        for orphan in row.orphans.order_by("-received_at")[:MAX_ROWS]
    ]
    return PanelContent(
        {
            "headers": ["Received", "Kind", "Reported id", "State", "By", "Reason"],
            "rows": rows,
            "empty": "Every message named it by its id.",
        }
    )
