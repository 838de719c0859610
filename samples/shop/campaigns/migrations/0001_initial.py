"""The table of replies."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """As `manage.py makemigrations` made it."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Reply",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("mobile", models.CharField(max_length=20)),
                ("text", models.TextField()),
                ("received_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"verbose_name_plural": "replies"},
        ),
    ]
