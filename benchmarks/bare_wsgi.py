import os

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.bare"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
