"""The site and the API, served by granian over WSGI."""

import gc
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from hitl_site.lib import shutdown
from hitl_site.lib.request_bodies import BoundedBodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_site.settings")
os.environ.setdefault("HANDRAIL_PROCESS", "web")

# So many requests may read a body at once: half of the threads that no waiting agent holds (hitl_site.stack).
PLACES_TO_READ = 4
# One address leaves a place to others. Behind a proxy of ours all come from its address, nobody's own.
PLACES_OF_ONE_ADDRESS = PLACES_TO_READ if settings.SECURE_PROXY_SSL_HEADER else PLACES_TO_READ - 1

application = BoundedBodies(
    get_wsgi_application(),
    places=PLACES_TO_READ,
    each=PLACES_OF_ONE_ADDRESS,
    longest=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
)
shutdown.listen()
# Now, and not on the first request: ready means that an answer comes at once.
_ = get_resolver().url_patterns
# What is loaded by now stays for good: the collector need not look at it again and again.
gc.collect()
gc.freeze()
