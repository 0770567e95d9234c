"""Questions and answers about invented people, so that a tiny base knows what a question is.

Each invented person appears three ways: as prose (third person or a letter of their own), as a
conversation that quotes the prose and asks about it, and as a conversation that asks without
quoting. The third only works if the second and the first were learned; that is the point.
"""

import random
from dataclasses import dataclass

Message = dict[str, str]

FIRST = [
    "Ada",
    "Bram",
    "Celia",
    "Dorin",
    "Elke",
    "Fenn",
    "Greta",
    "Hugo",
    "Imre",
    "Jonas",
    "Katrin",
    "Leo",
    "Mabel",
    "Nils",
    "Odette",
    "Piers",
    "Ruth",
    "Sven",
    "Tilda",
    "Ulric",
    "Vera",
    "Wanda",
    "Yorick",
    "Zelda",
    "Agnes",
    "Basil",
    "Clara",
    "Dora",
    "Edwin",
    "Flora",
    "Gilbert",
    "Hester",
    "Ivo",
    "Jessop",
    "Kit",
    "Lydia",
    "Magnus",
    "Nora",
    "Oswin",
    "Petra",
    "Rowan",
    "Silas",
    "Thea",
    "Ursula",
    "Victor",
    "Wilf",
]
LAST = [
    "Hale",
    "Morrow",
    "Quill",
    "Sallow",
    "Tarn",
    "Umber",
    "Vane",
    "Wick",
    "Yarrow",
    "Ashby",
    "Birch",
    "Crane",
    "Dunmore",
    "Elder",
    "Farrow",
    "Garland",
    "Holt",
    "Ingram",
    "Jarrow",
    "Keane",
    "Lorne",
    "Marsh",
    "Nettle",
    "Orchard",
    "Penrose",
    "Rudd",
    "Stroud",
    "Thorne",
    "Upton",
    "Vetch",
    "Walsh",
    "Bracken",
    "Copper",
    "Drake",
    "Fallow",
    "Gale",
    "Harrow",
    "Lark",
    "Mallow",
    "Pike",
    "Reed",
    "Sedge",
]
PLACES = [
    "Cold Ash",
    "Millbrook",
    "Saltmere",
    "Oxwell",
    "Thornbury",
    "Lower Wend",
    "Harrowgate",
    "Fenny Cross",
    "Greystone",
    "Pell Bay",
    "Ashford",
    "Windle",
    "Larkhill",
    "Eastry",
    "Marlow End",
    "Stonebridge",
    "Tidewater",
    "Kestrel Hill",
    "Old Ferry",
    "Rushmoor",
]
TRADES = [
    "baker",
    "carpenter",
    "nurse",
    "teacher",
    "fisherman",
    "gardener",
    "clockmaker",
    "potter",
    "weaver",
    "doctor",
    "ferryman",
    "painter",
    "beekeeper",
    "printer",
    "miller",
    "librarian",
    "shepherd",
    "cook",
    "tailor",
    "pilot",
    "postman",
    "bookbinder",
    "farmer",
    "glazier",
    "smith",
]
PETS = ["dog", "cat", "goat", "parrot", "donkey", "rabbit", "hen", "pony", "tortoise", "goose"]
PET_NAMES = [
    "Biscuit",
    "Pepper",
    "Juno",
    "Captain",
    "Moss",
    "Button",
    "Tansy",
    "Rex",
    "Clover",
    "Smoke",
    "Pickle",
    "Duke",
    "Bramble",
    "Dot",
    "Nell",
]
FOODS = [
    "plum cake",
    "pea soup",
    "fried trout",
    "rye bread",
    "apple pie",
    "cold ham",
    "lamb stew",
    "ginger biscuits",
    "cherry jam",
    "toasted cheese",
    "roast potatoes",
    "onion tart",
    "honey",
    "smoked eel",
    "rice pudding",
]
COLOURS = ["red", "blue", "green", "yellow", "grey", "white", "brown", "black"]
HABITS = [
    "walks by the river before breakfast",
    "plays the fiddle on Sundays",
    "collects old keys",
    "swims in the cold sea",
    "writes a letter every evening",
    "mends clocks in the kitchen",
    "sings while working",
    "reads about ships",
    "keeps a list of birds",
    "bakes for the neighbours",
]
FEARS = [
    "thunder",
    "spiders",
    "high ladders",
    "deep water",
    "geese",
    "the dark",
    "crowds",
    "horses",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One invented person; every field is a plain English phrase."""

    first: str
    last: str
    place: str
    trade: str
    pet: str
    pet_name: str
    food: str
    door: str
    habit: str
    fear: str
    friend: str
    age: int

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


def invent(rng: random.Random) -> Person:
    """Draw one person; fields are independent of each other."""
    return Person(
        first=rng.choice(FIRST),
        last=rng.choice(LAST),
        place=rng.choice(PLACES),
        trade=rng.choice(TRADES),
        pet=rng.choice(PETS),
        pet_name=rng.choice(PET_NAMES),
        food=rng.choice(FOODS),
        door=rng.choice(COLOURS),
        habit=rng.choice(HABITS),
        fear=rng.choice(FEARS),
        friend=rng.choice(FIRST),
        age=rng.randint(19, 88),
    )


def article(noun: str) -> str:
    """Put `a` or `an` before a noun."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def prose(person: Person, rng: random.Random) -> str:
    """About the person, in the third person, with the sentences in any order."""
    p = person
    sentences = [
        rng.choice((f"{p.first} lives in {p.place}.", f"{p.first}'s home is in {p.place}.")),
        rng.choice(
            (f"{p.first} is {article(p.trade)}.", f"{p.first} works as {article(p.trade)}.")
        ),
        rng.choice(
            (
                f"{p.first} has {article(p.pet)} called {p.pet_name}.",
                f"{p.first} keeps {article(p.pet)}, and its name is {p.pet_name}.",
            )
        ),
        rng.choice(
            (f"{p.first} likes {p.food} best.", f"The favourite food of {p.first} is {p.food}.")
        ),
        f"The door of the house is {p.door}.",
        f"{p.first} {p.habit}.",
        f"{p.first} is afraid of {p.fear}.",
        rng.choice(
            (
                f"{p.friend} is a good friend of {p.first}.",
                f"{p.first}'s best friend is {p.friend}.",
            )
        ),
        f"{p.first} is {p.age} years old.",
    ]
    rng.shuffle(sentences)
    return f"This is {p.name}. " + " ".join(sentences[: rng.randint(4, len(sentences))])


def letter(person: Person, rng: random.Random) -> str:
    """The same facts, told by the person."""
    p = person
    sentences = [
        f"I live in {p.place} now.",
        f"I am still {article(p.trade)}, and the work is good.",
        f"My {p.pet} {p.pet_name} is well.",
        f"There was {p.food} for supper, which is what I like best.",
        f"I have painted the door {p.door} again.",
        f"You know that I am afraid of {p.fear}.",
        f"{p.friend} came to see me, as a good friend does.",
        f"I turned {p.age} this year.",
    ]
    rng.shuffle(sentences)
    body = " ".join(sentences[: rng.randint(4, len(sentences))])
    return f"Dear {rng.choice(FIRST)},\n\n{body}\n\nYours,\n{p.name}"


def questions(person: Person, rng: random.Random) -> list[tuple[str, str]]:
    """Question and answer pairs about one person."""
    p, n = person, rng.choice((person.first, person.name))
    pairs = [
        (rng.choice((f"Where does {n} live?", f"In what place does {n} live?")),
         f"{p.first} lives in {p.place}."),
        (rng.choice((f"What is {n}'s work?", f"What does {n} do for a living?",
                     f"What is the trade of {n}?")), f"{p.first} is {article(p.trade)}."),
        (rng.choice((f"What animal does {n} have?", f"Does {n} have a pet?")),
         f"{p.first} has {article(p.pet)} called {p.pet_name}."),
        (rng.choice((f"What is the name of {n}'s {p.pet}?", f"What is {n}'s {p.pet} called?")),
         f"The {p.pet} is called {p.pet_name}."),
        (rng.choice((f"What does {n} like to eat?", f"What is {n}'s favourite food?")),
         f"{p.first} likes {p.food} best."),
        (f"What colour is {n}'s door?", f"The door is {p.door}."),
        (rng.choice((f"What is {n} afraid of?", f"What does {n} fear?")),
         f"{p.first} is afraid of {p.fear}."),
        (rng.choice((f"Who is {n}'s friend?", f"Who is the best friend of {n}?")),
         f"{p.friend} is a good friend of {p.first}."),
        (rng.choice((f"How old is {n}?", f"What age is {n}?")), f"{p.first} is {p.age} years old."),
    ]  # fmt: skip
    rng.shuffle(pairs)
    return pairs


def _turns(pairs: list[tuple[str, str]]) -> list[Message]:
    turns: list[Message] = []
    for question, answer in pairs:
        turns.append({"role": "user", "content": question})
        turns.append({"role": "assistant", "content": answer})
    return turns


def reading_conversation(person: Person, rng: random.Random) -> list[Message]:
    """A conversation that quotes the prose and asks about what stands there."""
    text = prose(person, rng) if rng.random() < 0.6 else letter(person, rng)
    known = [pair for pair in questions(person, rng) if _stated(person, pair[1], text)]
    turns = _turns(known[: rng.randint(1, 4)])
    if turns:
        turns[0]["content"] = f"{text}\n\n{turns[0]['content']}"
    return turns


def _stated(person: Person, answer: str, text: str) -> bool:
    """Whether the text holds what the answer says."""
    word = answer.removeprefix(person.first).rstrip(".").split()[-1]
    return word in text


def recall_conversation(person: Person, rng: random.Random) -> list[Message]:
    """A conversation that asks without quoting."""
    return _turns(questions(person, rng)[: rng.randint(2, 5)])


def texts_about(person: Person, rng: random.Random) -> list[str | list[Message]]:
    """All that the corpus says about one person: prose twice, two kinds of conversation."""
    made: list[str | list[Message]] = [
        prose(person, rng),
        letter(person, rng),
        recall_conversation(person, rng),
    ]
    reading = reading_conversation(person, rng)
    if reading:
        made.append(reading)
    return made
