#!/bin/sh
# Enrols once with EDGENAS_ENROLMENT_TOKEN, then dials out to EDGENAS_AGENT_SERVER.
set -eu
: "${EDGENAS_AGENT_SERVER:?set it to the server, such as http://server:8000}"
if [ ! -e "$EDGENAS_AGENT_DATA/credential.json" ]; then
    profiler-agent enrol "$EDGENAS_AGENT_SERVER"
fi
exec profiler-agent run --server "$EDGENAS_AGENT_SERVER" "$@"
