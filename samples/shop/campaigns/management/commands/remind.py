"""manage.py remind: the nightly campaign by hand, or by cron."""

from datetime import date

from django.core.management.base import BaseCommand
from django.utils.timezone import localdate

from campaigns.nightly import remind


class Command(BaseCommand):
    """Prints the campaign's id."""

    help = "Reminds of the orders of a day that were not paid for, once a day."

    def add_arguments(self, parser):
        """Take another day than today."""
        parser.add_argument("--day", type=date.fromisoformat)

    def handle(self, *args, day, **options):
        """Run the nightly campaign."""
        self.stdout.write(f"campaign {remind(day or localdate())}")
