#!/bin/sh
# Asks the model with curl (7.82 or later) over the Unix socket: a whole answer, then one as a stream.
#
#     sh curl.sh
set -eu
socket=${NIGHTLOOM_HOME:+$NIGHTLOOM_HOME/run}
socket=${socket:-${XDG_RUNTIME_DIR:-}/nightloom}/api/api.sock

ask() {
    curl --silent --show-error --fail-with-body --no-buffer --unix-socket "$socket" \
        http://nightloom/v1/chat/completions --json "$1"
}

ask '{"model": "personal",
      "messages": [{"role": "user", "content": "How was spring?"}]}'
echo
ask '{"model": "personal", "stream": true, "stream_options": {"include_usage": true},
      "messages": [{"role": "user", "content": "How was spring?"}]}'
