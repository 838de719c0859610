"""The table of orders."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """As `manage.py makemigrations` made it."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("mobile", models.CharField(max_length=20)),
                ("name", models.CharField(max_length=100)),
                ("product", models.CharField(max_length=100)),
                ("paid", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
