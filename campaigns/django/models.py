"""Our campaigns as a model for the admin: unmanaged, without migrations, and without a column of a message.

Django quotes the name of a table as a whole, so the quotes in the middle make it `"sms"."campaigns"`.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Campaign(models.Model):
    """A row of `sms.campaigns`. Read it; to change anything, call the functions of `kavenegar_campaigns`."""

    id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    client_key = models.TextField("key", null=True)
    kind = models.TextField()
    sender = models.TextField()
    state = models.TextField()
    messages = models.IntegerField()
    duplicates = models.IntegerField()
    rejects = models.IntegerField()
    parts = models.IntegerField()
    created_at = models.DateTimeField("created")
    start_at = models.DateTimeField("to begin at", null=True)
    started_at = models.DateTimeField("started", null=True)
    finished_at = models.DateTimeField("finished", null=True)

    class Meta:
        """Django neither creates nor empties the table, and nobody is permitted more than to view it."""

        managed = False
        db_table = 'sms"."campaigns'
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)
        verbose_name = "SMS campaign"

    def __str__(self) -> str:
        return str(self.name)
