# Server and search worker: one image, two commands (serve | worker).
# Where no registry is reached, name a local base:  --build-arg BASE=localhost/python:3.11
ARG BASE=python:3.11-slim
FROM ${BASE}

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
