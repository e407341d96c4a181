# One image for web and gateway: docker-compose.yml says how they differ.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data \
    STATIC_ROOT=/app/staticfiles

WORKDIR /app

COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --requirement requirements.txt

COPY . .
# No server is needed to collect static files, but the settings want to be told where one would be.
RUN SECRET_KEY=build DATABASE_URL=postgres://localhost/build REDIS_URL=redis://localhost \
    python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q . \
    && useradd --system --uid 10001 --home-dir /data --create-home evcharging

USER evcharging
EXPOSE 9000
CMD ["python", "manage.py", "serve"]
