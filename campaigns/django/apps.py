"""The app's configuration. Its label is not `campaigns`, which a shop may want for itself."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


class CampaignsConfig(AppConfig):
    """The app `kavenegar_campaigns.django`, labelled `kavenegar_campaigns`."""

    name = "kavenegar_campaigns.django"
    label = "kavenegar_campaigns"
    verbose_name = "SMS campaigns"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and what prepares test databases."""
        from kavenegar_campaigns.django import health, test_runs  # noqa: PLC0415 - Django is set up only now

        checks.register(health.check_database, checks.Tags.compatibility)
        checks.register(health.check_schema, checks.Tags.database)
        connection_created.connect(test_runs.prepare_database, dispatch_uid=self.label)
        post_migrate.connect(test_runs.empty_database, sender=self, dispatch_uid=self.label)
