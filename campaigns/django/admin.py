"""A read-only admin of campaigns: how far each is, why it waits and until when. No number and no text is shown.

A page of the list costs the same few statements however many campaigns and messages there are: progress is summed over
the batches of the campaigns that are not finished, and no message is counted.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.utils.timezone import localtime

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.api import watch
from kavenegar_campaigns.django.address import alias, campaigns_connection
from kavenegar_campaigns.django.models import Campaign

_FACTS: Final = "campaign_facts"
"""The attribute of a Campaign that holds its progress and why it waits, read for a whole page at once."""

_PER_PAGE: Final = 25


def _read_facts(shown: list[Campaign]) -> None:
    """Read progress and the reason for waiting of all campaigns of a page, with as many statements as for one."""
    connection = campaigns_connection()
    live = [each.pk for each in shown if each.finished_at is None]
    progress = watch.progress_of_each(connection, live)
    waiting = watch.why_each_waits(connection, [each.campaign for each in progress.values()])
    for each in shown:
        setattr(each, _FACTS, (progress.get(each.pk), waiting.get(each.pk)))


class _Page(ChangeList):
    """A page of the list."""

    result_list: Any

    def get_results(self, request: Any) -> None:
        """Read the campaigns of the page, and then their facts."""
        super().get_results(request)
        shown: list[Campaign] = list(self.result_list)
        _read_facts(shown)
        self.result_list = shown


@admin.register(Campaign)
class CampaignAdmin(admin.ModelAdmin):
    """The list of campaigns and the page of one."""

    list_display = ("name", "key", "state", "messages", "sent", "settled", "why_it_waits", "created_at", "finished_at")
    list_filter = ("state", "kind")
    list_per_page = _PER_PAGE
    list_max_show_all = _PER_PAGE
    search_fields = ("name", "client_key")
    show_full_result_count = False
    actions = None
    fields: ClassVar = [
        *("name", "key", "kind", "sender", "state", "why_it_waits", "waits_until"),
        *("messages", "duplicates", "rejects", "parts", "sent", "settled", "by_state"),
        *("created_at", "start_at", "started_at", "finished_at"),
    ]
    readonly_fields = fields

    def get_queryset(self, request: Any) -> Any:
        """Read from the database with the schema `sms`."""
        return super().get_queryset(request).using(alias())

    def get_changelist(self, request: Any, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002 - Django's signature
        """Return the list that reads the facts of a page at once."""
        return _Page

    def get_object(self, request: Any, object_id: str, from_field: str | None = None) -> Campaign | None:
        """Read one campaign and its facts, also those of a finished one."""
        found: Campaign | None = super().get_object(request, object_id, from_field)
        if found is not None:
            connection = campaigns_connection()
            facts = campaigns.progress(connection, found.pk), campaigns.why_waiting(connection, found.pk)
            setattr(found, _FACTS, facts)
        return found

    def has_add_permission(self, request: Any) -> bool:  # noqa: ARG002 - Django's signature
        """Nobody adds a campaign here."""
        return False

    def has_change_permission(self, request: Any, obj: Campaign | None = None) -> bool:  # noqa: ARG002 - as above
        """Nobody changes a campaign here."""
        return False

    def has_delete_permission(self, request: Any, obj: Campaign | None = None) -> bool:  # noqa: ARG002 - as above
        """Nobody deletes a campaign."""
        return False

    # ── columns ──

    @admin.display(ordering="client_key")
    def key(self, shown: Campaign) -> str:
        """Return the caller's key."""
        return shown.client_key or "-"

    @admin.display(description="sent")
    def sent(self, shown: Campaign) -> str:
        """Return the share of messages that are not pending any more."""
        return _share(shown, campaigns.MessageState.PENDING)

    @admin.display(description="with a verdict")
    def settled(self, shown: Campaign) -> str:
        """Return the share of messages that have their last state."""
        return _share(shown, campaigns.MessageState.PENDING, campaigns.MessageState.ACCEPTED)

    @admin.display(description="messages by state")
    def by_state(self, shown: Campaign) -> str:
        """Return the number of messages in each state that has any."""
        progress, _ = getattr(shown, _FACTS)
        return ", ".join(f"{count:,} {state}" for state, count in progress.counts.items() if count)

    @admin.display(description="why it waits")
    def why_it_waits(self, shown: Campaign) -> str:
        """Return the sentence that `campaigns show` prints."""
        _, waiting = getattr(shown, _FACTS)
        return "-" if waiting is None else waiting.sentence

    @admin.display(description="until")
    def waits_until(self, shown: Campaign) -> str:
        """Return when that ends or is checked next."""
        _, waiting = getattr(shown, _FACTS)
        return "-" if waiting is None or waiting.until is None else f"{localtime(waiting.until):%Y-%m-%d %H:%M:%S}"


def _share(shown: Campaign, *open_states: campaigns.MessageState) -> str:
    """Return the share of messages in other states than these, rounded down: 100 % is all of them."""
    progress, _ = getattr(shown, _FACTS)
    still_open = sum(progress.counts[state] for state in open_states) if progress else 0
    return f"{100 * (shown.messages - still_open) // max(shown.messages, 1)} %"
