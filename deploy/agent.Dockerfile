# The agent with ONNX Runtime; no torch, no database, no web framework beyond Starlette.
ARG BASE=python:3.11-slim
FROM ${BASE}

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY licenses licenses
COPY shared shared
COPY profiler_agent profiler_agent
COPY search_server/__init__.py search_server/__init__.py
RUN python3 -m pip install --no-cache-dir -c constraints.txt '.[agent,onnxruntime]'
COPY deploy/agent-entrypoint.sh /usr/local/bin/agent-entrypoint

RUN useradd --create-home --uid 1000 edgenas && mkdir /data && chown edgenas /data
USER edgenas
ENV EDGENAS_AGENT_DATA=/data
VOLUME /data
ENTRYPOINT ["agent-entrypoint"]
