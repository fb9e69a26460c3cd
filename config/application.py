"""All served roles behind one WSGI application, in whichever process calls it: a web process serves it (`config.wsgi`),
a worker's roles ask one another by it (`config.transport`)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
