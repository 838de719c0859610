"""Orders in the admin. The campaigns that confirm them are there already."""

from django.contrib import admin

from orders.models import Order

admin.site.register(Order, list_display=["id", "name", "product", "paid", "created_at"])
