"""A desk's day, by the Python client that is generated from docs/openapi.json: every call and every answer is of its types.

usage: desk_day.py URL FIRST_SECRET_OF_ADMIN_KIRAN
"""

import json
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from coming_in import come_in, enrol, key, of
from squareoff_client import AuthenticatedClient, models
from squareoff_client.api.audit import search_audit
from squareoff_client.api.bulk import approve_bulk, propose_bulk, show_bulk
from squareoff_client.api.clients import list_client_positions
from squareoff_client.api.orders import cancel_order, show_order
from squareoff_client.api.platform import approve_hand_back, complete_hand_back, request_hand_back, show_platform
from squareoff_client.api.positions import list_positions, show_position
from squareoff_client.api.square_offs import square_off
from squareoff_client.api.trades import list_trades

PATIENCE_S = 120
ENDED = {models.OrderState.FILLED, models.OrderState.CANCELED, models.OrderState.EXPIRED, models.OrderState.REJECTED}

T = TypeVar("T")


def until(what: str, look: Callable[[], T | None]) -> T:
    """Looks until there is something; the time is a guard against hanging alone."""
    began = time.monotonic()
    while (found := look()) is None:
        assert time.monotonic() - began < PATIENCE_S, f"waited in vain for {what}"
        time.sleep(0.05)
    return found


def day(asha: AuthenticatedClient, ravi: AuthenticatedClient) -> None:
    platform = of(models.PlatformShown, show_platform.sync(client=asha))
    assert platform.platform is models.PlatformState.ACTIVE, platform

    # Who has what.
    page = of(models.PositionPage, list_positions.sync(client=asha, open_=True, limit=500))
    assert page.positions, "the sample book has positions"
    position = page.positions[0]
    own = of(models.ClientPositions, list_client_positions.sync(position.client_code, client=asha))
    assert position.stream in [row.stream for row in own.positions]

    # One is closed, and the order watched to its end.
    asked = models.SquareOff(
        client_code=position.client_code,
        venue=position.venue,
        symbol=position.symbol,
        product=position.product,
        quantity=models.QuantityAskedType1.ALL,
        evidence="a scripted desk day",
    )
    name = key()
    accepted = of(models.SquareOffAccepted, square_off.sync(client=asha, body=asked, idempotency_key=name))
    again = square_off.sync_detailed(client=asha, body=asked, idempotency_key=name)
    assert of(models.SquareOffAccepted, again.parsed) == accepted and again.headers["idempotency-replayed"] == "true"

    def ended() -> models.OrderShown | None:
        shown = show_order.sync(accepted.order_ids[0], client=asha, at_least=accepted.position)
        order = of(models.OrderShown, shown)
        return order if order.status in ENDED else None

    told_live(asha, accepted)
    order = until("the order's end", ended)
    assert order.status is models.OrderState.FILLED, order
    trades = of(models.TradePage, list_trades.sync(client=asha, order_id=order.order_id, at_least=order.position))
    assert sum(trade.live_quantity for trade in trades.trades) == order.quantity

    # What has ended can't be cancelled; the problem says so.
    late = cancel_order.sync_detailed(order.order_id, client=asha, idempotency_key=key())
    problem = of(models.Problem, late.parsed)
    assert late.status_code == 409 and problem.type_ == "urn:squareoff:problem:order-ended", problem

    # A limit far from the market rests, and is cancelled.
    rests(asha, page.positions[1:])

    # The rest at once: one proposes, another approves.
    proposal = models.BulkProposal(filter_=models.BulkFilter(all_=True), reason="the primary is down", dry_run=True)
    cost = of(models.BulkDryRun, propose_bulk.sync(client=asha, body=proposal))
    proposal.dry_run = False
    bulk = of(models.BulkProposed, propose_bulk.sync(client=asha, body=proposal, idempotency_key=key()))
    assert bulk.items == cost.items > 0
    alone = of(models.Problem, approve_bulk.sync(bulk.bulk_id, client=asha, idempotency_key=key()))
    assert alone.type_ == "urn:squareoff:problem:not-allowed", alone
    of(models.BulkAccepted, approve_bulk.sync(bulk.bulk_id, client=ravi, idempotency_key=key()))

    def completed() -> models.BulkShown | None:
        shown = of(models.BulkShown, show_bulk.sync(bulk.bulk_id, client=asha))
        return shown if shown.status is models.BulkState.COMPLETED else None

    done = until("the bulk's end", completed)
    assert done.progress.planned == done.progress.sent == 0, done

    # The primary is back.
    of(models.PlatformAccepted, request_hand_back.sync(client=asha, body=models.Why(reason="the primary is up"), idempotency_key=key()))
    of(models.PlatformAccepted, approve_hand_back.sync(client=ravi, idempotency_key=key()))

    def handed_back() -> models.PlatformAccepted | None:
        answer = complete_hand_back.sync(client=asha, idempotency_key=key())
        if isinstance(answer, models.Problem) and answer.type_ == "urn:squareoff:problem:orders-working":
            return None
        return of(models.PlatformAccepted, answer)

    handed = until("the hand-back", handed_back)
    platform = of(models.PlatformShown, show_platform.sync(client=asha))
    assert platform.platform is models.PlatformState.HANDED_BACK, platform
    refused = of(models.Problem, square_off.sync(client=asha, body=asked, idempotency_key=key()))
    assert refused.type_ == "urn:squareoff:problem:platform-not-active", refused

    # All of it can be read again.
    found = of(models.AuditPage, search_audit.sync(client=ravi, request_id=accepted.request_id, at_least=handed.position))
    assert [(entry.actor, entry.event_type) for entry in found.audit] == [("desk-asha", "SquareOffAccepted")], found


def told_live(asha: AuthenticatedClient, accepted: models.SquareOffAccepted) -> None:
    """What becomes of the order is told as it happens, from where the answer left off."""
    asked = {"topics": "orders", "after": accepted.position}
    with asha.get_httpx_client().stream("GET", "/v1/live", params=asked, timeout=PATIENCE_S) as live:
        assert live.status_code == 200, live.status_code
        for line in live.iter_lines():
            if not line.startswith("data: "):
                continue
            orders = json.loads(line.removeprefix("data: ")).get("orders", [])
            shown = [models.Order.from_dict(order) for order in orders if order["order_id"] == str(accepted.order_ids[0])]
            if any(order.status in ENDED for order in shown):
                return
    raise AssertionError("the live stream ended before the order")


def rests(asha: AuthenticatedClient, positions: list[models.Position]) -> None:
    """The first of these positions on which an order can rest: it is cancelled, and the position is as it was."""
    for position in positions:
        shown = of(models.PositionShown, show_position.sync(position.stream, client=asha))
        if shown.closable_quantity == 0 or not isinstance(shown.mark_price, str):
            continue
        asked = models.SquareOff(
            client_code=position.client_code,
            venue=position.venue,
            symbol=position.symbol,
            product=position.product,
            quantity=models.QuantityAskedType1.ALL,
            limit_price=shown.mark_price,
        )
        accepted = square_off.sync(client=asha, body=asked, idempotency_key=key())
        if not isinstance(accepted, models.SquareOffAccepted):
            continue
        last = accepted.orders[-1]

        def asked_or_over() -> bool | None:
            answer = cancel_order.sync(last.order_id, client=asha, idempotency_key=key())
            if isinstance(answer, models.Problem):
                assert answer.type_ == "urn:squareoff:problem:order-ended", answer
                return False
            return of(models.OrderAccepted, answer) is not None

        if asked_or_over():
            return
    raise AssertionError("no order rested")


if __name__ == "__main__":
    url, secret = sys.argv[1:]
    admin = come_in(url, "admin-kiran", secret)
    people = {"desk-asha": models.RoleName.DESK, "supervisor-ravi": models.RoleName.SUPERVISOR}
    asha, ravi = (come_in(url, account, enrol(admin, account, role)) for account, role in people.items())
    day(asha, ravi)
    print("the day is over")
