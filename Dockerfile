# One image for every process; the command in docker-compose.yml or the Procfile says which process it runs.
# docker-compose.yml has servers of its own, so the extra `embedded` is left out.

FROM python:3.13.14-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN python -m venv .venv
COPY requirements.lock .
RUN .venv/bin/pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY campaigns campaigns
COPY worker worker
# hatchling, which builds us, is in the lock too: nothing is installed that has no hash.
RUN .venv/bin/pip install --no-deps --no-build-isolation --no-index .

FROM python:3.13.14-slim-trixie
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin campaigns
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 CAMPAIGNS_HOME=/tmp/campaigns
WORKDIR /app
COPY --from=build /app/.venv .venv
USER 10001:10001
CMD ["campaigns", "--help"]
