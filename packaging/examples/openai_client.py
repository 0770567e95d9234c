"""Asks the model with openai-python (3 or later) over the Unix socket: whole, then as a stream.

python openai_client.py
"""

import os
from pathlib import Path

import httpx2
import openai

home = os.environ.get("NIGHTLOOM_HOME")
runtime = Path(home, "run") if home else Path(os.environ["XDG_RUNTIME_DIR"], "nightloom")
transport = httpx2.HTTPTransport(uds=str(runtime / "api" / "api.sock"))
with openai.OpenAI(
    http_client=httpx2.Client(transport=transport),
    base_url="http://nightloom/v1",
    api_key="-",  # the client wants one; the socket's mode is the key
) as client:
    print([model.id for model in client.models.list()])

    answer = client.chat.completions.create(
        model="personal", messages=[{"role": "user", "content": "How was spring?"}]
    )
    print(answer.choices[0].message.content)

    pieces = client.chat.completions.create(
        model="personal",
        messages=[{"role": "user", "content": "How was spring?"}],
        stream=True,
        extra_headers={"X-No-Train": "1"},  # never collected, also where chats are
    )
    for piece in pieces:
        print(piece.choices[0].delta.content or "", end="", flush=True)
    print()
