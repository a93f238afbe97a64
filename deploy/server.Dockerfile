# Server and search worker: one image, two commands (serve | worker).
# Where no registry is reached, name a local base:  --build-arg BASE=localhost/python:3.11
ARG BASE=python:3.11-slim-trixie
FROM ${BASE}

# pg_dump, pg_restore and psql, for backup and restore: of the version of the PostgreSQL in docker-compose.yml or
# later. Empty where no package mirror is reached.
ARG POSTGRES_CLIENT=postgresql-client-17
RUN [ -z "${POSTGRES_CLIENT}" ] || { apt-get update \
    && apt-get install --yes --no-install-recommends "${POSTGRES_CLIENT}" \
    && rm -rf /var/lib/apt/lists/*; }

# The CPU build of torch; empty to let pip look where it is configured to look.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# Of the package; a node of a Ray cluster needs "ray" as well.
ARG EXTRAS=server,search

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY licenses licenses
COPY shared shared
COPY profiler_agent profiler_agent
COPY edgenas edgenas
COPY search_server search_server
COPY deploy/agent deploy/agent
RUN python3 -m pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url ${TORCH_INDEX}} \
    -c constraints.txt ./deploy/agent ".[${EXTRAS}]"

# A base may have this user already, or its number.
RUN { id edgenas >/dev/null 2>&1 || useradd --create-home edgenas; } && mkdir -p /data && chown edgenas /data
USER edgenas
ENV EDGENAS_DATA=/data
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["search-server"]
CMD ["serve", "--host", "0.0.0.0"]
