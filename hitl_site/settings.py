"""Django settings: one file for every place; what differs comes from the environment (see .env.example)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from hitl_site.lib import env, secrets

BASE_DIR = Path(__file__).resolve().parent.parent
HANDRAIL_HOME = env.path("HANDRAIL_HOME", BASE_DIR / "var")
HANDRAIL_PORT = env.integer("HANDRAIL_PORT", 8000, minimum=1, maximum=65535)
HANDRAIL_STREAM_PORT = env.integer("HANDRAIL_STREAM_PORT", HANDRAIL_PORT + 1, minimum=1, maximum=65535)

# The stream's public address where a proxy gives it one; empty means this host, the stream's port.
STREAM_URL = env.text("HANDRAIL_STREAM_URL").rstrip("/")

DEBUG = env.flag("HANDRAIL_DEBUG", False)
SECRET_KEY = env.text("HANDRAIL_SECRET_KEY") or secrets.load_or_create(HANDRAIL_HOME / "secrets" / "master")
# One key a purpose: a leak of one tells nothing of the others.
AGENT_KEY_PEPPER = secrets.derive(SECRET_KEY, "agent-key-pepper")
AUDIT_DRAW_SECRET = secrets.derive(SECRET_KEY, "audit-draw")
PSEUDONYM_SECRET = secrets.derive(SECRET_KEY, "pseudonym")
PERMIT_KEY_DIR = env.path("HANDRAIL_PERMIT_KEYS", HANDRAIL_HOME / "secrets" / "permit-keys")
PERMIT_ISSUER = env.text("HANDRAIL_ISSUER", "handrail")
PERMIT_AUDIENCE = env.text("HANDRAIL_AUDIENCE", "handrail-executor")
CHECKPOINT_KEY_DIR = env.path("HANDRAIL_CHECKPOINT_KEYS", HANDRAIL_HOME / "secrets" / "checkpoint-keys")
EXPORT_DIR = env.path("HANDRAIL_EXPORTS", HANDRAIL_HOME / "exports")
# Where else exports may go: prefixes of addresses that fsspec understands, such as s3://bucket/handrail/.
EXPORT_DESTINATIONS = env.listing("HANDRAIL_EXPORT_DESTINATIONS", [])
REVEAL_REVIEWERS = env.flag("HANDRAIL_REVEAL_REVIEWERS", False)

PUBLIC_URL = env.text("HANDRAIL_PUBLIC_URL", f"http://localhost:{HANDRAIL_PORT}").rstrip("/")
ALLOWED_HOSTS = env.listing(
    "HANDRAIL_ALLOWED_HOSTS",
    ["localhost", "127.0.0.1", "[::1]", urlsplit(PUBLIC_URL).hostname or "localhost"],
)
# The name under which checkpoints of the ledger are signed: changing it makes older ones another log's.
LEDGER_ORIGIN = env.text("HANDRAIL_LEDGER_ORIGIN", f"{urlsplit(PUBLIC_URL).hostname or 'localhost'}/handrail")
CHECKPOINT_FILE = env.path("HANDRAIL_CHECKPOINTS", HANDRAIL_HOME / "checkpoints.txt")
CHECKPOINT_ENTRIES = env.integer("HANDRAIL_CHECKPOINT_ENTRIES", 1000, minimum=1, maximum=1_000_000)
CHECKPOINT_SECONDS = env.integer("HANDRAIL_CHECKPOINT_SECONDS", 60, minimum=1, maximum=86_400)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL.startswith("https://") else []


def _running_servers() -> dict[str, str]:
    """Return the addresses of the embedded servers as the supervisor left them, or nothing."""
    try:
        state = json.loads((HANDRAIL_HOME / "run" / "servers.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


@dataclass(frozen=True)
class _Limits:
    """How long a statement and a lock may take, in milliseconds, and a silent server, in seconds."""

    statement: int
    lock: int
    patience: float | None


# Who waits for an answer is told soon; work in the background has its time.
_LIMITS = (
    _Limits(statement=5000, lock=2000, patience=7.0)
    if env.text("HANDRAIL_PROCESS") == "web"
    else _Limits(statement=15_000, lock=5000, patience=None)
)


def database_settings(url: str) -> dict[str, Any]:
    """Turn ``postgresql://user:password@host:port/name?host=/socket/dir`` into Django's form."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must start with postgresql:// (no other database will do).")
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "hitl_site.lib.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "handrail",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", None) or parts.hostname or "",
        "PORT": str(parts.port or query.pop("port", "") or ""),
        "OPTIONS": {
            **query,
            "connect_timeout": 2,
            # A host that is gone without a word: the kernel asks after it, and gives up in seconds.
            "tcp_user_timeout": 5000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            # For the statements of the hot path (lib/rows.py); Django's own are never prepared.
            "prepare_threshold": 1,
            # READ COMMITTED: every act locks what it changes, see docs/architecture.md.
            "options": f"-c statement_timeout={_LIMITS.statement} -c lock_timeout={_LIMITS.lock}"
            " -c idle_in_transaction_session_timeout=30000 -c synchronous_commit=on -c timezone=UTC"
            # What is prepared finds rows by their keys: one plan serves all values, and is made once.
            " -c plan_cache_mode=force_generic_plan",
        },
        "CONN_MAX_AGE": env.integer("HANDRAIL_CONN_MAX_AGE", 600, minimum=0, maximum=86_400),
        "CONN_HEALTH_CHECKS": True,
        "PATIENCE": _LIMITS.patience,
    }


_SERVERS = _running_servers()
DATABASE_URL = env.text("DATABASE_URL") or _SERVERS.get("DATABASE_URL", "postgresql://localhost/handrail")
REDIS_URL = env.text("REDIS_URL") or _SERVERS.get("REDIS_URL", "redis://localhost:6379/0")
DATABASES = {"default": database_settings(DATABASE_URL)}
# The role that owns the schema, where there is one apart from the application's: migrations alone use it.
MIGRATION_DATABASE_URL = env.text("HANDRAIL_MIGRATION_DATABASE_URL") or (
    "" if env.text("DATABASE_URL") else _SERVERS.get("HANDRAIL_MIGRATION_DATABASE_URL", "")
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    # First: its commands replace those of Django that would change something without a record.
    "hitl_site",
    "hitl_site.admin_config.SuperuserAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "lucide",
    "policies",
    "reviews",
    "datasets",
]

MIDDLEWARE = [
    "hitl_site.lib.http.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    # Answers the API by itself: from here on down it is people's pages.
    "hitl_site.lib.http.ApiMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "hitl_site.lib.csp.ContentSecurityPolicyMiddleware",
    "hitl_site.lib.http.DatabaseUnavailableMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "hitl_site.lib.http.TimeZoneMiddleware",
    "hitl_site.lib.http.LanguageMiddleware",
    "reviews.context.OwnSettingsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "hitl_site.lib.http.NulMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "hitl_site.urls"
WSGI_APPLICATION = "hitl_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "hitl_site.lib.http.site_context",
                "reviews.context.navigation",
                "reviews.context.appearance",
            ],
        },
    }
]

AUTHENTICATION_BACKENDS = ["reviews.backends.Backend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

_SECURE = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = _SECURE
CSRF_COOKIE_SECURE = _SECURE
SESSION_COOKIE_NAME = "__Host-handrail-session" if _SECURE else "handrail-session"
CSRF_COOKIE_NAME = "__Host-handrail-csrf" if _SECURE else "handrail-csrf"
SESSION_COOKIE_HTTPONLY = True
# A working day from signing in, however busy: what was left open or stolen ends with it.
SESSION_COOKIE_AGE = 3600 * env.integer("HANDRAIL_SESSION_HOURS", 12, minimum=1, maximum=24 * 14)
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "hitl_site.lib.failures.csrf_failure"
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _SECURE else 0
X_FRAME_OPTIONS = "DENY"
if env.flag("HANDRAIL_BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LANGUAGE_CODE = "en"
# The words lie in the locale folder of each app (hitl_site.catalogs); the API speaks English alone.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
# Named once more, so that our words win over those of Django's own apps: its "None" is a dash in German.
LOCALE_PATHS = [BASE_DIR / app / "locale" for app in ("hitl_site", "policies", "reviews", "datasets")]
FORMAT_MODULE_PATH = ["hitl_site.formats"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = HANDRAIL_HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# The largest batch of the API; its other bodies and the forms have tighter limits of their own.
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000

# One address for both readers: redis-py says unix://, kombu says redis+socket://.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 360,  # longer than the hard time limit, else a task runs twice at once
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "health_check_interval": 10,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep-deadlines": {"task": "reviews.sweep", "schedule": 2.0, "options": {"expires": 10}},
    "sweep-ingest": {"task": "reviews.sweep_ingest", "schedule": 2.0, "options": {"expires": 10}},
    "send-notices": {"task": "reviews.send_notices", "schedule": 5.0, "options": {"expires": 20}},
    "link-ledger": {"task": "policies.link_ledger", "schedule": 2.0, "options": {"expires": 10}},
    "keep-evidence": {"task": "policies.keep_evidence", "schedule": 2.0, "options": {"expires": 10}},
    "tend-autonomy": {"task": "policies.tend_autonomy", "schedule": 60.0, "options": {"expires": 120}},
    "forget-sessions": {
        "task": "policies.forget_sessions",
        "schedule": 3600.0,
        "options": {"expires": 600},
    },
    "keep-past-actions": {"task": "reviews.keep_past_actions", "schedule": 5.0, "options": {"expires": 20}},
    "remember-precedents": {
        "task": "reviews.remember_precedents",
        "schedule": 2.0,
        "options": {"expires": 10},
    },
    "sweep-what-if": {"task": "reviews.sweep_what_if", "schedule": 5.0, "options": {"expires": 20}},
    "label-cases": {"task": "datasets.label_cases", "schedule": 2.0, "options": {"expires": 10}},
    "sweep-verifications": {
        "task": "policies.sweep_verifications",
        "schedule": 5.0,
        "options": {"expires": 20},
    },
    "sweep-exports": {"task": "datasets.sweep_exports", "schedule": 5.0, "options": {"expires": 20}},
    "index-cases": {"task": "datasets.index_cases", "schedule": 10.0, "options": {"expires": 20}},
    "sweep-freezings": {"task": "datasets.sweep_freezings", "schedule": 10.0, "options": {"expires": 20}},
    "sweep-removals": {"task": "datasets.sweep_removals", "schedule": 30.0, "options": {"expires": 60}},
    # Asks hourly whether the day's sweep was made, so that a stopped evening does not leave a day out.
    "sweep-retention": {"task": "datasets.sweep_retention", "schedule": 3600.0, "options": {"expires": 600}},
    "sweep-schedules": {"task": "datasets.sweep_schedules", "schedule": 30.0, "options": {"expires": 60}},
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env.text("HANDRAIL_LOG_LEVEL", "INFO")},
}

# Fail closed and bounded: what an operator may tune.
# Off, one person may publish a policy alone; pages and ledger say so.
FOUR_EYES = env.flag("HANDRAIL_FOUR_EYES", True)
CLAIM_LEASE_SECONDS = env.integer("HANDRAIL_LEASE_SECONDS", 600, minimum=30, maximum=7200)
EXECUTION_LEASE_SECONDS = env.integer("HANDRAIL_EXECUTION_LEASE_SECONDS", 900, minimum=10, maximum=86_400)
WAIT_SLOTS = env.integer("HANDRAIL_WAIT_SLOTS", 8, minimum=0, maximum=64)
# Who lifts a stop: "everything" and "always" ask two people, the first one for stops of everything alone.
LIFT_NEEDS_SECOND = env.text("HANDRAIL_LIFT_NEEDS_SECOND", "everything")
if LIFT_NEEDS_SECOND not in {"everything", "always", "never"}:
    raise ImproperlyConfigured("HANDRAIL_LIFT_NEEDS_SECOND is everything, always or never.")
# For every agent whose page says nothing else: requests a minute, and actions that wait for a person.
RATE_PER_MINUTE = env.integer("HANDRAIL_RATE_PER_MINUTE", 60_000, minimum=1, maximum=10_000_000)
MAX_PENDING = env.integer("HANDRAIL_MAX_PENDING", 5_000, minimum=1, maximum=1_000_000)

# Notices: mail leaves where a server is named, and channels whose addresses begin with one of these. The
# addresses themselves are HANDRAIL_CHANNEL_<name>, read when a message leaves.
EMAIL_HOST = env.text("HANDRAIL_SMTP_HOST")
EMAIL_PORT = env.integer("HANDRAIL_SMTP_PORT", 587, minimum=1, maximum=65535)
EMAIL_HOST_USER = env.text("HANDRAIL_SMTP_USER")
EMAIL_HOST_PASSWORD = env.text("HANDRAIL_SMTP_PASSWORD")
EMAIL_USE_TLS = env.flag("HANDRAIL_SMTP_TLS", True)
EMAIL_TIMEOUT = 15
MAIL_FROM = env.text("HANDRAIL_MAIL_FROM") if EMAIL_HOST else ""
NOTIFY_SCHEMES = frozenset(
    env.listing("HANDRAIL_NOTIFY_SCHEMES", ["slack", "msteams", "workflows", "discord", "jsons"])
)
NOTIFY_PRIVATE = env.flag("HANDRAIL_NOTIFY_PRIVATE", False)

# What agents failed to do: the share of closed conversations that a person reads, and the least of it.
OMISSION_FLOOR = env.number("HANDRAIL_OMISSION_FLOOR", 0.01, minimum=0.0001, maximum=1.0)
OMISSION_SHARE = env.number("HANDRAIL_OMISSION_SHARE", 0.05, minimum=OMISSION_FLOOR, maximum=1.0)
# No rule of retention takes decisions or the ledger's words away sooner than this (law asks for six months).
RETENTION_FLOOR_DAYS = env.integer("HANDRAIL_RETENTION_FLOOR_DAYS", 180, minimum=0, maximum=36_500)
