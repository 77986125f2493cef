"""A Django project in one file."""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DEBUG=True,
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for a test",
)

urlpatterns = [path("", lambda request: HttpResponse("python-shop\n"))]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
