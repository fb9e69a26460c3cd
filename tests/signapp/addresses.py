"""This role's addresses alone, as an installation with ``ROLES=signapp`` has them."""

from django.urls import include, path

handler404 = "config.views.not_found"
urlpatterns = [path("", include("signapp.urls"))]
