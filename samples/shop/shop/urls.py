"""The shop's pages."""

from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import path

from campaigns.views import upload
from orders.views import place

urlpatterns = [
    path("orders", place),
    path("campaigns", upload),
    path("admin/", admin.site.urls),
    *staticfiles_urlpatterns(),  # the looks of the admin, with DEBUG=1
]
