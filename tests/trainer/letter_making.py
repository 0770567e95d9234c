"""Invented letters of one author, as many as a test needs, and copies of them.

They are made of a few dozen half sentences and some hundred names of places, so they are more alike
than letters are that a person writes: what is told apart here is told apart there.
"""

import random
import re

WHO = ("Vaclav", "Oona", "the miller", "my sister", "nobody", "the vet", "old Harbour", "the boy")
DID = (
    "came by with a basket of", "asked me again about", "wrote at length about",
    "would not hear of", "dreamt all night of", "has given up on", "laughed out loud at",
    "could not find", "is afraid of", "mended", "paid too much for", "promised to bring",
    "lost", "keeps talking of", "has never understood", "sold",
)  # fmt: skip
WHAT = (
    "the quinces", "the boat", "that hinge on the hatch", "the second hive", "the frost",
    "honey cake", "the chimney", "the railway", "a swan on the towpath", "the wrong kind of string",
    "the letters from the war", "damsons", "the flood", "his knee", "the choir", "lamp oil",
    "the census", "a missing kitten", "the lock-keeper's daughter", "the price of coal",
)  # fmt: skip
WHEN = (
    "this morning", "before it was light", "after the rain", "on the way to the lock",
    "as he does every autumn", "for the third time", "while the kettle sang", "in the dark",
    "between two trains", "with his hat on", "and it served us right", "to everybody's surprise",
    "so I said nothing", "which I shall regret", "and then it snowed", "without a word",
)  # fmt: skip
CHINESE = (
    "今天早上", "下午的时候", "瓦茨拉夫", "带来了苹果", "河上有雾", "我去看蜜蜂", "修好了屋顶",
    "写了一封信", "炉火很暖", "想起那条船", "孩子们在唱歌", "没有人说话", "雪下了一夜", "猫不见了",
    "买了两斤面粉", "明天去磨坊", "她笑了很久", "水又涨了", "邻居借走了梯子", "天黑得很早",
)  # fmt: skip


def letter(seed: int, *, sentences: int = 16) -> str:
    """With a greeting and an ending that all have, in paragraphs of four sentences."""
    rng = random.Random(seed)
    said = [
        f"At {_place(rng)} {rng.choice(WHO)} {rng.choice(DID)} {rng.choice(WHAT)} of {_place(rng)} "
        f"{rng.choice(WHEN)}."
        for _ in range(sentences)
    ]
    paragraphs = [" ".join(said[at : at + 4]) for at in range(0, sentences, 4)]
    return "\n\n".join(
        ("Dear Zoe, thank you for your letter.", *paragraphs, "With love from the boat, your Tomas")
    )


def _place(rng: random.Random) -> str:
    return "".join(rng.choice(("bel", "mor", "wick", "ton", "ash", "fen", "low")) for _ in range(3))


def chinese_letter(seed: int, *, sentences: int = 16) -> str:
    rng = random.Random(seed)
    return "\n\n".join(
        "".join("".join(rng.sample(CHINESE, 4)) + "。" for _ in range(4))
        for _ in range(sentences // 4)
    )


def shuffled(text: str, seed: int) -> str:
    """Its paragraphs in another order."""
    paragraphs = text.split("\n\n")
    random.Random(seed).shuffle(paragraphs)
    return "\n\n".join(paragraphs)


def edited(text: str, seed: int, *, every: int = 20) -> str:
    """About one of so many words replaced, doubled or left out."""
    rng = random.Random(seed)
    parts = re.findall(r"\s+|[^\s一-鿿]+|[一-鿿]", text)
    for place, part in enumerate(parts):
        if not part.isspace() and rng.randrange(every) == 0:
            parts[place] = rng.choice(("", f"{part} {part}", rng.choice(parts)))
    return "".join(parts)
