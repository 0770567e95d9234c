#!/bin/sh
# Asks the model with `llm`, a client from PyPI that knows only TCP, through the bridge. Before that:
#
#     nightloom bridge --port 8484                                      # in another terminal
#     cp extra-openai-models.yaml "$(dirname "$(llm logs path)")"
#     llm keys set nightloom            # asks for what `nightloom bridge --show-token` prints
#
# llm keeps what is asked and answered in clear, in a database of its own: --no-log, or `llm logs off`.
set -eu

llm --model nightloom --no-log "How was spring?"
