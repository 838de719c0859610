"""The shop's tests of its transactions: an order and its campaign stand or fall together."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.core.exceptions import SynchronousOnlyOperation
from django.db import InternalError, connection, connections, transaction
from django.db.transaction import TransactionManagementError
from django.db.utils import ProgrammingError
from django.test import AsyncClient, Client, TestCase, TransactionTestCase, override_settings
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import testing
from kavenegar_campaigns.api import connection_of
from tests.frameworks.django_project.campaigns.models import Order
from tests.frameworks.django_project.urls import place_order

NUMBER = "09121234567"
FAILED = (SQLAlchemyError, campaigns.CampaignsError)


def there() -> tuple[int, int]:
    return Order.objects.count(), len(campaigns.newest(connection))


def break_the_database() -> None:
    """A failure of PostgreSQL inside one of our functions: its table is away, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE sms.suppressions RENAME TO elsewhere")


def end_this_session() -> None:
    """The server ends the session of this thread, as at a restart."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    its = connection.get_connection_params() | {"cursor_factory": psycopg.Cursor, "context": None}
    with psycopg.connect(**its) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


class Together(TransactionTestCase):
    """Real commits: Django empties its tables after each test, and ours with them."""

    def test_an_order_and_its_campaign_are_committed_together(self) -> None:
        assert there() == (0, 0)
        campaign = place_order(NUMBER)

        assert there() == (1, 1)
        assert campaigns.progress(connection, campaign).counts["pending"] == 1

    def test_what_another_test_committed_is_gone(self) -> None:
        assert there() == (0, 0)
        place_order(NUMBER)
        assert there() == (1, 1)

    def test_they_are_rolled_back_together(self) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            place_order(NUMBER)
            raise RuntimeError
        assert there() == (0, 0)

    def test_an_inner_block_takes_the_campaign_back_alone(self) -> None:
        with transaction.atomic():
            Order.objects.create(number="1")
            with pytest.raises(RuntimeError), transaction.atomic():
                place_order(NUMBER)
                raise RuntimeError
        assert there() == (1, 0)

    def test_bad_input_inside_a_block_loses_no_order(self) -> None:
        with transaction.atomic():
            Order.objects.create(number=NUMBER)
            with pytest.raises(campaigns.BadInput):
                campaigns.create(connection, recipients=["12"], text="x", sender="10004346")
            Order.objects.create(number="2")
        assert there() == (2, 0)

    def test_outside_of_a_block_writing_is_refused_and_reading_works(self) -> None:
        with pytest.raises(campaigns.BadInput, match=r"with transaction\.atomic\(\):"):
            campaigns.create(connection, recipients=[NUMBER], text="x", sender="10004346")
        assert campaigns.newest(connection) == []

    def test_a_view_that_goes_on_after_a_failure_of_the_database_keeps_its_order_and_its_hooks(self) -> None:
        confirmed: list[str] = []
        with transaction.atomic():
            Order.objects.create(number=NUMBER)
            transaction.on_commit(lambda: confirmed.append("your order is confirmed"))
            with transaction.atomic():
                break_the_database()
                with pytest.raises(FAILED):
                    campaigns.suppressed(connection, NUMBER)
                with pytest.raises(FAILED):
                    campaigns.suppress(connection, [NUMBER])
                transaction.set_rollback(True)  # the table comes back
            Order.objects.create(number="2")
        assert (there(), confirmed) == ((2, 0), ["your order is confirmed"])

    def test_a_block_whose_transaction_stays_aborted_is_marked(self) -> None:
        with transaction.atomic():
            with pytest.raises(SQLAlchemyError):
                connection_of(connection).execute(text("SELECT * FROM nowhere"))
            assert connection.needs_rollback
            with pytest.raises(TransactionManagementError):
                Order.objects.create(number="2")
            with pytest.raises(campaigns.BadInput, match="broken this atomic block"):
                campaigns.newest(connection)

    def test_django_alone_would_have_lost_the_order_and_run_the_hook(self) -> None:
        """Why the block has to be marked: COMMIT of an aborted transaction is a ROLLBACK, and says nothing."""
        confirmed: list[str] = []
        with transaction.atomic():
            Order.objects.create(number=NUMBER)
            transaction.on_commit(lambda: confirmed.append("your order is confirmed"))
            with pytest.raises(psycopg.errors.UndefinedTable):
                connection.connection.execute("SELECT * FROM nowhere")
        assert (there(), confirmed) == ((0, 0), ["your order is confirmed"])

    def test_an_inner_block_that_fails_leaves_the_outer_one_whole(self) -> None:
        with transaction.atomic():
            Order.objects.create(number=NUMBER)
            with pytest.raises(FAILED), transaction.atomic():
                break_the_database()
                campaigns.suppress(connection, [NUMBER], reason="manual")
            assert not connection.needs_rollback
            place_order("09121234568")
        assert there() == (2, 1)

    def test_a_failure_that_we_take_back_ourselves_marks_nothing(self) -> None:
        with transaction.atomic():
            Order.objects.create(number=NUMBER)
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '100ms'")
            with holding_the_key("k"), pytest.raises(campaigns.CampaignsError):
                campaigns.create(connection, recipients=[NUMBER], text="x", sender="10004346", key="k")
            assert not connection.needs_rollback
        assert there() == (1, 0)

    def test_a_broken_transaction_of_theirs_is_named(self) -> None:
        with pytest.raises(InternalError), transaction.atomic():
            with pytest.raises(ProgrammingError), connection.cursor() as cursor:
                cursor.execute("SELECT * FROM nowhere")
            with pytest.raises(campaigns.BadInput, match="aborted by an earlier error"):
                campaigns.newest(connection)
            Order.objects.create(number="2")

    def test_a_connection_that_is_lost_is_new_for_the_next_request(self) -> None:
        with pytest.raises(FAILED), transaction.atomic():
            end_this_session()
            campaigns.newest(connection)
        assert campaigns.newest(connection) == []  # Django had to give it up, because it could not roll back
        end_this_session()
        with pytest.raises(FAILED):
            campaigns.newest(connection)
        with pytest.raises(campaigns.BadInput, match="lost"):
            campaigns.newest(connection)
        connection.close_if_unusable_or_obsolete()  # as at the end of a request
        place_order(NUMBER)
        assert there() == (1, 1)

    def test_recipients_may_be_a_queryset_on_the_same_connection(self) -> None:
        Order.objects.bulk_create(Order(number=f"0912{number:07}") for number in range(5000))
        numbers = Order.objects.order_by("number").values_list("number", flat=True)
        with transaction.atomic():
            found = [
                campaigns.create(connection, recipients=each, text="x", sender="10004346")
                for each in (numbers, numbers.iterator(chunk_size=100))
            ]
        assert [campaigns.get(connection, each).messages for each in found] == [5000, 5000]

    def test_recipients_that_fail_half_way_lose_no_order(self) -> None:
        Order.objects.bulk_create(Order(number=f"0912{number:07}") for number in range(5000))

        def customers() -> Iterator[str]:
            for row, order in enumerate(Order.objects.iterator(chunk_size=100)):
                yield order.number
                if row == 3000:
                    raise LookupError

        with transaction.atomic():
            Order.objects.create(number=NUMBER)
            with pytest.raises(LookupError):
                campaigns.create(connection, recipients=customers(), text="x", sender="10004346")
            gc.collect()
            assert not connection.needs_rollback
        assert there() == (5001, 0)

    def test_manual_transactions_work(self) -> None:
        transaction.set_autocommit(False)
        try:
            campaigns.create(connection, recipients=[NUMBER], text="x", sender="10004346")
            transaction.rollback()
            assert campaigns.newest(connection) == []
            transaction.rollback()
        finally:
            transaction.set_autocommit(True)

    def test_queries_that_django_logs_hold_no_numbers_of_ours(self) -> None:
        with override_settings(DEBUG=True), transaction.atomic():
            place_order(NUMBER)
        logged = [each["sql"] for each in connection.queries]
        assert [each for each in logged if "sms." in each or ("09121234567" in each and "order" not in each)] == []

    def test_a_connection_of_another_thread_is_refused_and_each_thread_has_its_own(self) -> None:
        mine, found = connections["default"], []

        def elsewhere() -> None:
            try:
                campaigns.newest(mine)
            except campaigns.BadInput as why:
                found.append(str(why))
            place_order(NUMBER)
            connections.close_all()

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert "opened by another thread" in found[0]
        assert there() == (1, 1)

    def test_an_async_page_orders_in_a_thread(self) -> None:
        async def visit() -> int:
            answer = await AsyncClient().get("/order-async", {"number": NUMBER})
            await sync_to_async(connections.close_all)()
            return int(answer.status_code)

        assert asyncio.run(visit()) == 200
        assert there() == (1, 1)

    def test_an_async_function_without_a_thread_is_refused(self) -> None:
        async def order() -> None:
            with pytest.raises(SynchronousOnlyOperation):
                campaigns.newest(connection)
            await sync_to_async(connections.close_all)()

        asyncio.run(order())

    def test_a_page_that_fails_orders_nothing_with_atomic_requests(self) -> None:
        client = Client(raise_request_exception=False)
        assert client.get("/whole-request", {"number": NUMBER}).status_code == 500  # in autocommit mode
        with atomic_requests():
            assert client.get("/order-and-fail", {"number": "09121234568"}).status_code == 500
            assert there() == (1, 0)  # the order of the first page, which no transaction took back
            assert client.get("/whole-request", {"number": "09121234569"}).status_code == 200
        assert there() == (2, 1)

    def test_what_is_no_connection_of_a_database_is_refused(self) -> None:
        for wrong in (connections, cache, Order.objects, transaction):
            with pytest.raises(campaigns.BadInput, match="is no transaction"):
                campaigns.newest(wrong)  # type: ignore[arg-type]


class holding_the_key:  # noqa: N801 - it reads as a phrase
    """Another session holds the lock of a key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __enter__(self) -> None:
        its = connection.get_connection_params() | {"cursor_factory": psycopg.Cursor, "context": None}
        self._other = psycopg.connect(**its)
        self._other.execute("SELECT pg_advisory_xact_lock(hashtextextended('sms.campaigns:' || %s, 0))", [self._key])

    def __exit__(self, *_: object) -> None:
        self._other.close()


class atomic_requests:  # noqa: N801 - it reads as a phrase
    """ATOMIC_REQUESTS, for the block."""

    def __enter__(self) -> None:
        connection.settings_dict["ATOMIC_REQUESTS"] = True

    def __exit__(self, *_: object) -> None:
        connection.settings_dict["ATOMIC_REQUESTS"] = False


class RolledBackWithTheTest(TestCase):
    """A plain TestCase: no further set-up, and everything is rolled back with it."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.campaign = place_order(NUMBER)

    def test_what_the_class_set_up_is_there(self) -> None:
        assert there() == (1, 1)
        campaigns.pause(connection, self.campaign)
        place_order("09121234568")
        assert there() == (2, 2)

    def test_what_another_test_did_is_not(self) -> None:
        assert there() == (1, 1)
        assert campaigns.get(connection, self.campaign).state == "running"

    def test_a_page_of_the_shop_orders_and_the_test_sees_what_would_have_left(self) -> None:
        self.client.get("/order", {"number": "09121234568"})

        first, last = testing.outbox(connection).messages
        assert (first.number, last.number, last.text, last.sender) == (NUMBER, "09121234568", "سلام سارا", "10004346")
        assert (last.campaign_key, last.kind) == (f"order-{Order.objects.get(number=last.number).pk}", "sms")

    def test_a_failure_of_the_database_is_taken_back_with_the_block(self) -> None:
        with pytest.raises(FAILED), transaction.atomic():
            Order.objects.create(number="3")
            break_the_database()
            campaigns.suppress(connection, [NUMBER], reason="manual")
        assert there() == (1, 1)
