# The agent with ONNX Runtime; no torch, no database, no web framework beyond Starlette.
ARG BASE=python:3.11-slim
FROM ${BASE}

WORKDIR /app
COPY constraints.txt LICENSE ./
COPY licenses licenses
COPY shared shared
COPY profiler_agent profiler_agent
COPY deploy/agent deploy/agent
RUN python3 -m pip install --no-cache-dir -c constraints.txt './deploy/agent[onnxruntime]'
COPY deploy/agent-entrypoint.sh /usr/local/bin/agent-entrypoint

# A base may have this user already, or its number.
RUN { id edgenas >/dev/null 2>&1 || useradd --create-home edgenas; } && mkdir -p /data && chown edgenas /data
USER edgenas
ENV EDGENAS_AGENT_DATA=/data
VOLUME /data
ENTRYPOINT ["agent-entrypoint"]
