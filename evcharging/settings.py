"""Django's settings: the only reader of the environment; docs/operations/deploy.md lists the variables."""

import os
import socket
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.retry import Retry

from evcharging.api.framework import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401 - the API's
from evcharging.atomic_files import read_or_create_secret
from evcharging.back_office.unfold import UNFOLD  # noqa: F401 - the admin's
from evcharging.config.database_url import parse_database_url
from evcharging.config.environment import Environment
from evcharging.embedded.servers import EmbeddedServers
from evcharging.logs.setup import logging_configuration

BASE_DIR = Path(__file__).resolve().parent.parent

#: Names of earlier releases, which still work.
OLD_NAMES = {"STRANGER_RETENTION_DAYS": "REFUSAL_RETENTION_DAYS"}

ENVIRONMENT = Environment(os.environ, old_names=OLD_NAMES)

# Data of the embedded servers, and the generated secret key.
DATA_DIR = Path(ENVIRONMENT.text("DATA_DIR", str(BASE_DIR / "var"))).expanduser().resolve()

# The address for chargers and staff.
PORT = ENVIRONMENT.integer("PORT", 9000, minimum=1, maximum=65535)
BIND = ENVIRONMENT.text("BIND", "127.0.0.1")

# For the reconnects of all chargers after a power cut; the kernel caps it at net.core.somaxconn.
LISTEN_BACKLOG = ENVIRONMENT.integer("LISTEN_BACKLOG", 4096, minimum=1)

# Server processes that share the port, and the sockets that each closes per second when it stops (0: all at once).
PROCESSES = ENVIRONMENT.integer("PROCESSES", 1, minimum=1, maximum=128)
DRAIN_PER_S = ENVIRONMENT.number("DRAIN_PER_S", 500, minimum=0)

# Behind a proxy that terminates TLS: secure cookies, HSTS, and X-Forwarded-* of the proxy are trusted.
BEHIND_TLS_PROXY = ENVIRONMENT.flag("BEHIND_TLS_PROXY")

DEBUG = ENVIRONMENT.flag("DEBUG")


def _secret_key() -> str:
    key = ENVIRONMENT.text("SECRET_KEY")
    if key:
        return key
    try:
        return read_or_create_secret(DATA_DIR / "secret_key")
    except OSError as error:
        raise ImproperlyConfigured(
            f"the data folder {DATA_DIR} cannot be used: {error.strerror or error} "
            "(set DATA_DIR to a folder you can write)"
        ) from None


SECRET_KEY = _secret_key()


def _allowed_hosts() -> list[str]:
    """Return ALLOWED_HOSTS, by default the names and addresses of this machine."""
    own = ["localhost", "127.0.0.1", "[::1]"]
    if BIND in ("0.0.0.0", "::", ""):
        own.append(socket.gethostname())
    elif BIND not in own:
        own.append(f"[{BIND}]" if ":" in BIND else BIND)
    return ENVIRONMENT.words("ALLOWED_HOSTS", own)


ALLOWED_HOSTS = _allowed_hosts()
CSRF_TRUSTED_ORIGINS = ENVIRONMENT.words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "import_export",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "evcharging",
    "evcharging.api",
    "stations",
    "connectors",
    "id_tags",
    "transactions",
    "meter",
    "status_notifications",
]

MIDDLEWARE = [
    "evcharging.server.health.HealthMiddleware",
    "evcharging.api.middleware.ApiMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "evcharging.urls"
SILENCED_SYSTEM_CHECKS = ["urls.W002"]  # a route that begins with a slash: some chargers send //ocpp/…
ASGI_APPLICATION = "evcharging.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database and Redis. Without a URL they are embedded: started by the first process that needs them.
_DATABASE_URL = ENVIRONMENT.text("DATABASE_URL")
_REDIS_URL = ENVIRONMENT.text("REDIS_URL")
EMBEDDED_SERVERS = EmbeddedServers(DATA_DIR, postgres=not _DATABASE_URL, valkey=not _REDIS_URL)


# Only evcharging.db.prepared prepares statements on the server; with Django's default, None, it could not.
PREPARED_ON_DEMAND = {"prepare_threshold": 1_000_000_000}


def _database() -> dict[str, Any]:
    if not _DATABASE_URL:
        return {**EMBEDDED_SERVERS.postgres.django_database(), "OPTIONS": PREPARED_ON_DEMAND}
    database = parse_database_url(_DATABASE_URL)
    # Time-outs by which a lost connection is noticed within seconds; libpq ignores those of TCP on a Unix socket.
    database["OPTIONS"] = {
        "connect_timeout": "5",
        "keepalives_idle": "20",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "20000",
        "application_name": "evcharging",
        **PREPARED_ON_DEMAND,
    } | database["OPTIONS"]
    return database


def _redis_url() -> str:
    url = _REDIS_URL or EMBEDDED_SERVERS.valkey.url()
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured("REDIS_URL must look like redis://:password@host:6379/0, rediss://… or unix://…")
    return url


DATABASES = {"default": {**_database(), "CONN_MAX_AGE": 0, "TEST": {}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = _redis_url()
REDIS_TIMEOUT_S = 0.5
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "evcharging",
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": REDIS_TIMEOUT_S,
            "SOCKET_TIMEOUT": REDIS_TIMEOUT_S,
            "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 1)},
        },
    }
}
# The cache is optional: without Redis it is empty.
DJANGO_REDIS_IGNORE_EXCEPTIONS = True

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # Longer than the other time-outs: a receive blocks for five seconds.
            "hosts": [{"address": REDIS_URL, "socket_connect_timeout": REDIS_TIMEOUT_S, "socket_timeout": 15}],
            "prefix": "evcharging",
            "capacity": 1000,
        },
    }
}

# Staff
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # for a login page without ?next=

# The API: requests per minute of each token (0: unlimited).
API_THROTTLE = ENVIRONMENT.integer("API_THROTTLE", 600, minimum=0)

# Security: `make run` serves plain HTTP; production is behind TLS.
X_FRAME_OPTIONS = "DENY"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin" if BEHIND_TLS_PROXY else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS_PROXY
HSTS_SECONDS = ENVIRONMENT.integer("HSTS_SECONDS", 31_536_000, minimum=1)
if BEHIND_TLS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = HSTS_SECONDS
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    USE_X_FORWARDED_HOST = True

# Times are UTC; a station may have a time zone for its timestamps without an offset.
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = "evcharging.formats"

# Static files are served from the packages, or from STATIC_ROOT, as collected in the image.
STATIC_URL = "static/"
STATIC_ROOT = ENVIRONMENT.text("STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_ROOT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Logging
LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_configuration(
    output=ENVIRONMENT.choice("LOG_FORMAT", ("auto", "json", "text"), "auto"),
    level=ENVIRONMENT.choice("LOG_LEVEL", ("debug", "info", "warning", "error"), "info").upper(),
)

# Chargers: enrolment, and limits of what unknown ones store.
OCPP_ENROLMENT = ENVIRONMENT.choice("OCPP_ENROLMENT", ("closed", "pending", "open"), "pending")
PENDING_STATIONS_MAX = ENVIRONMENT.integer("PENDING_STATIONS_MAX", 1000, minimum=0)
REFUSED_CONNECTIONS_MAX = ENVIRONMENT.integer("REFUSED_CONNECTIONS_MAX", 10_000, minimum=0)
UNKNOWN_ID_TAGS_MAX = ENVIRONMENT.integer("UNKNOWN_ID_TAGS_MAX", 10_000, minimum=0)
DEVIATIONS_MAX_PER_STATION = ENVIRONMENT.integer("DEVIATIONS_MAX_PER_STATION", 200, minimum=0)
REFUSAL_RETENTION_DAYS = ENVIRONMENT.integer("REFUSAL_RETENTION_DAYS", 30, minimum=0)
# Chargers: protocol.
OCPP_MAX_MESSAGE_BYTES = ENVIRONMENT.integer("OCPP_MAX_MESSAGE_BYTES", 262_144, minimum=4096)
OCPP_PING_INTERVAL_S = ENVIRONMENT.integer("OCPP_PING_INTERVAL_S", 60, minimum=0)
OCPP_IDLE_LIMIT_S = ENVIRONMENT.integer("OCPP_IDLE_LIMIT_S", 900, minimum=0)
OCPP_HEARTBEAT_INTERVAL_S = ENVIRONMENT.integer("OCPP_HEARTBEAT_INTERVAL_S", 300, minimum=1)
OCPP_CALL_TIMEOUT_S = ENVIRONMENT.number("OCPP_CALL_TIMEOUT_S", 30, minimum=0.1)
OCPP_READ_CONFIGURATION = ENVIRONMENT.flag("OCPP_READ_CONFIGURATION", True)
COMMAND_EXPIRY_S = ENVIRONMENT.number("COMMAND_EXPIRY_S", 120, minimum=1)
GATEWAY_DB_THREADS = ENVIRONMENT.integer("GATEWAY_DB_THREADS", 4, minimum=1)
DB_HOLD_S = ENVIRONMENT.number("DB_HOLD_S", 30, minimum=0)
DB_HOLDS_MAX = 4  # multiples of DB_HOLD_S that a message waits at most while others are stored

# Transactions: one without a message for this long no longer counts against its tag's limit.
TX_STALE_H = ENVIRONMENT.number("TX_STALE_H", 24, minimum=0)

# Meter values: delay of roll-ups, and retention (0: for ever).
ROLLUP_LAG_S = ENVIRONMENT.integer("ROLLUP_LAG_S", 3600, minimum=600)
METER_VALUES_RETENTION_DAYS = ENVIRONMENT.integer("METER_VALUES_RETENTION_DAYS", 0, minimum=0)
ROLLUP_15M_RETENTION_DAYS = ENVIRONMENT.integer("ROLLUP_15M_RETENTION_DAYS", 0, minimum=0)
ROLLUP_DAY_RETENTION_DAYS = ENVIRONMENT.integer("ROLLUP_DAY_RETENTION_DAYS", 0, minimum=0)
STATUS_RETENTION_DAYS = ENVIRONMENT.integer("STATUS_RETENTION_DAYS", 0, minimum=0)
# TimescaleDB: span of a chunk, and age at which chunks are compressed (Community edition; 0: never).
METER_CHUNK_HOURS = ENVIRONMENT.integer("METER_CHUNK_HOURS", 24, minimum=1)
COMPRESS_AFTER_DAYS = ENVIRONMENT.integer("COMPRESS_AFTER_DAYS", 14, minimum=0)
