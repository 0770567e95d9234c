"""llama.cpp's side of a decoding bench, in an interpreter that has llama-cpp-python.

Run as `python -m trainer.bench.llama_side PARENT MODEL CONTEXT THREADS`. Calls llama.cpp's own
functions, so that nothing of Python's stands between two tokens.
"""

import importlib
import sys
import time
from typing import Any

from trainer.bench.side_loop import end_with, own_stdout, serve


class Llama:
    """One model; each request begins with an empty cache."""

    def __init__(self, library: Any, path: str, *, context: int, threads: int) -> None:
        self._cpp = library
        self._silent = library.llama_log_callback(lambda level, text, data: None)
        library.llama_log_set(self._silent, None)
        library.llama_backend_init()
        self._model = library.llama_model_load_from_file(
            path.encode(), library.llama_model_default_params()
        )
        if not self._model:
            raise RuntimeError("llama.cpp cannot load the model")
        settings = library.llama_context_default_params()
        settings.n_ctx = context
        settings.n_batch, settings.n_ubatch = context, 512
        settings.n_threads = settings.n_threads_batch = threads
        self._context = library.llama_init_from_model(self._model, settings)

    def prefill(self, tokens: int) -> float:
        """Seconds until the logits of a prompt."""
        self._cpp.llama_memory_clear(self._cpp.llama_get_memory(self._context), True)
        started = time.perf_counter()
        self._pass([1] * tokens)
        return time.perf_counter() - started

    def decode(self, context: int, steps: int) -> float:
        """Seconds per token behind a context."""
        self.prefill(context)
        started = time.perf_counter()
        for _ in range(steps):
            self._pass([1])
        return (time.perf_counter() - started) / steps

    def _pass(self, tokens: list[int]) -> None:
        room = (self._cpp.llama_token * len(tokens))(*tokens)
        if self._cpp.llama_decode(self._context, self._cpp.llama_batch_get_one(room, len(tokens))):
            raise RuntimeError("llama.cpp cannot decode")
        self._cpp.llama_synchronize(self._context)


def main() -> None:
    parent, path, context, threads = sys.argv[1:]
    end_with(int(parent))
    answers = own_stdout()
    library = importlib.import_module("llama_cpp")  # of another environment than ours, maybe
    made: list[Llama] = []

    def load() -> str:
        made.append(Llama(library, path, context=int(context), threads=int(threads)))
        return str(library.__version__)

    serve(
        {
            "load": load,
            "prefill": lambda tokens: made[0].prefill(tokens),
            "decode": lambda context, steps: made[0].decode(context, steps),
        },
        answers,
    )


if __name__ == "__main__":
    main()
