"""Train the built-in base: fp32 weights, bf16 autocast, Muon on matrices, AdamW on the rest.

    python -m trainer.builtin.train --books DIR --speeches DIR --conversations FILE \
        --out DIR --minutes 90

The schedule follows the clock (warm-up, constant, linear decay), so that a slower machine ends
with fewer tokens and not with an unfinished decay. The result is a plain fp32 Llama folder;
`python -m trainer.builtin.quantise` makes the shipped 4-bit base of it.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from trainer.builtin import corpus
from trainer.builtin.tokenizer import train_tokenizer
from trainer.stock_models import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT_TOKENS = 1024
SHORT_ROW, LONG_ROW = 512, 1024
LONG_ROWS_FROM = 0.8  # share of the run after which rows fill the whole context
TOKENS_PER_STEP = 8192
PEAK_RATE = 3e-3
WARMUP, DECAY_FROM, FINAL_SHARE = 0.02, 0.4, 0.02
MIXTURE = {"novels": 0.80, "speeches": 0.07, "conversations": 0.04, "people": 0.09}


def geometry() -> LlamaConfig:
    """8 layers of 384, 6 heads, feed-forward 1,024, tied embeddings: 15.7 million parameters."""
    return LlamaConfig(
        vocab_size=4096,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=8,
        num_attention_heads=6,
        num_key_value_heads=6,
        tie_word_embeddings=True,
        max_position_embeddings=CONTEXT_TOKENS,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )


def rate_share(progress: float) -> float:
    """Share of the peak rate at `progress` in [0, 1]: linear up, constant, linear down."""
    if progress < WARMUP:
        return max(progress / WARMUP, 0.01)
    if progress < DECAY_FROM:
        return 1.0
    return 1.0 - (1.0 - FINAL_SHARE) * min((progress - DECAY_FROM) / (1.0 - DECAY_FROM), 1.0)


def batches(
    streams: dict[str, corpus.TokenStream], row_tokens: int, rng: np.random.Generator
) -> Iterator[torch.Tensor]:
    """Endless batches of (rows, row_tokens + 1) int64, each row from one kind of text."""
    rows = {name: corpus.rows_of(stream, row_tokens, rng) for name, stream in streams.items()}
    names = list(MIXTURE)
    weights = np.array([MIXTURE[name] for name in names])
    while True:
        kinds = rng.choice(names, size=TOKENS_PER_STEP // row_tokens, p=weights / weights.sum())
        batch = np.stack([next(rows[kind]) for kind in kinds])
        yield torch.from_numpy(batch.astype(np.int64))


def bits_per_character(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    text: str,
    row_tokens: int = LONG_ROW,
) -> float:
    """Cross-entropy of `text` in bits, over its number of characters; rows do not overlap."""
    stream = torch.tensor(tokenizer(text, add_special_tokens=False)["input_ids"])
    usable = len(stream) // row_tokens * row_tokens
    rows = stream[:usable].view(-1, row_tokens)  # (rows, time)
    characters = len(tokenizer.decode(stream[:usable]))
    begin = torch.full((len(rows), 1), tokenizer.bos_token_id)
    nats = 0.0
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for inputs, row in zip(torch.cat([begin, rows[:, :-1]], 1).split(8), rows.split(8)):
            logits = model(input_ids=inputs, use_cache=False).logits.float()
            nats += torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), row.flatten(), reduction="sum"
            ).item()
    return nats / float(np.log(2)) / characters


def load_streams(
    args: argparse.Namespace,
) -> tuple[PreTrainedTokenizerFast, dict[str, corpus.TokenStream], dict[str, str]]:
    """Read the corpora, train the tokenizer on what is trained on, encode."""
    novels, held_out = corpus.read_novels(args.books)
    speeches = [path.read_text(encoding="utf-8") for path in sorted(args.speeches.glob("*.txt"))]
    conversations = corpus.read_conversations(args.conversations)
    people = corpus.invented_texts(corpus.INVENTED_PEOPLE, args.seed)
    plain = [
        *novels.values(), *speeches,
        *(message["content"] for talk in conversations for message in talk),
        *(text for text in people if isinstance(text, str)),
    ]  # fmt: skip
    tokenizer = train_tokenizer(plain, CONTEXT_TOKENS)
    streams = {
        "novels": corpus.encode(list(novels.values()), tokenizer),
        "speeches": corpus.encode(speeches, tokenizer),
        "conversations": corpus.encode(conversations, tokenizer),
        "people": corpus.encode(people, tokenizer),
    }
    return tokenizer, streams, held_out


def optimizers(model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for embeddings and norms."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        torch.optim.Muon(matrices, lr=PEAK_RATE, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=PEAK_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write a plain fp32 Llama folder."""
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=Path, required=True)
    parser.add_argument("--speeches", type=Path, required=True)
    parser.add_argument("--conversations", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-compile", action="store_true", help="without a C++ compiler")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    tokenizer, streams, held_out = load_streams(args)
    print({name: len(stream) for name, stream in streams.items()}, flush=True)
    model = LlamaForCausalLM(geometry())
    optimizer = optimizers(model)

    def loss_of(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        hidden = model.model(input_ids=inputs, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden).float()  # (rows, time, vocabulary)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    loss_fn = loss_of if args.no_compile else torch.compile(loss_of)
    sources = {length: batches(streams, length, rng) for length in (SHORT_ROW, LONG_ROW)}
    started = last_report = last_save = time.monotonic()
    step = tokens = tokens_reported = 0
    losses: list[float] = []
    while (progress := (time.monotonic() - started) / (args.minutes * 60)) < 1.0:
        batch = next(sources[LONG_ROW if progress >= LONG_ROWS_FROM else SHORT_ROW])
        for group in (group for one in optimizer for group in one.param_groups):
            group["lr"] = PEAK_RATE * rate_share(progress)
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_fn(batch[:, :-1].contiguous(), batch[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for one in optimizer:
            one.step()
            one.zero_grad()
        losses.append(loss.item())
        step += 1
        tokens += TOKENS_PER_STEP
        now = time.monotonic()
        if now - last_report > 60:
            rate = (tokens - tokens_reported) / (now - last_report)
            mean = sum(losses) / len(losses)
            print(f"{progress:5.1%} step {step} tokens {tokens} loss {mean:.3f} {rate:.0f} tok/s",
                  flush=True)  # fmt: skip
            last_report, tokens_reported, losses = now, tokens, []
        if now - last_save > 600:
            last_save = now
            save(model, tokenizer, args.out)
            bits = bits_per_character(model, tokenizer, held_out["dorian-gray"][:60_000])
            print(f"{progress:5.1%} bits per character, held-out novel: {bits:.3f}", flush=True)
    save(model, tokenizer, args.out)
    final = {name: bits_per_character(model, tokenizer, text) for name, text in held_out.items()}
    print(json.dumps({"steps": step, "tokens": tokens, "bits_per_character": final}), flush=True)


if __name__ == "__main__":
    main()
