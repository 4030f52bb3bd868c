"""The site and the API, served by granian over WSGI."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_site.settings")
application = get_wsgi_application()
# Now, and not on the first request: ready means that an answer comes at once.
_ = get_resolver().url_patterns
