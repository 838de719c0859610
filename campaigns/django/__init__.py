"""An app for Django's INSTALLED_APPS: `"kavenegar_campaigns.django"`.

    with transaction.atomic():
        order.save()
        campaign = campaigns.create(connection, recipients=…, text=…, sender=…)     # from django.db import connection
        campaigns.start(connection, campaign)

The functions take Django's own connection with or without this app. The app adds `manage.py campaigns …`, a system
check, the tables in Django's test databases, and a read-only admin. Its one setting, CAMPAIGNS_DATABASE, is the alias
of the database with the schema `sms`; "default" unless it is set.

Nothing of Django is imported by `import kavenegar_campaigns`, and nothing here but by Django itself.
"""
