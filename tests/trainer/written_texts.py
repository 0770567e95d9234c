"""Texts that somebody wrote, in many kinds and languages, and texts that nobody did. All invented.

What people write may look like data, code or a log here and there; none of it may be left out.
"""

import base64
import hashlib
import json
import random

WRITTEN: dict[str, str] = {
    "a short letter": "Dear Zoe,\n\nthe bees are in. Come on Sunday.\n\nTomas",
    "two lines": "Rain all day. I read the old log of the barge and fell asleep over it.",
    "a recipe": """Quince paste

1 kg quinces
800 g sugar
2 lemons
a stick of cinnamon

Wash the fluff off and boil them whole for 40 minutes. Peel, core, press through a sieve.
Weigh what you have and take as much sugar, less 50 g. Stir for 1 hour until a spoon stands in it.
Pour into a tin 2 cm deep, wait 3 days, and turn it over.
""",
    "a poem with a refrain": """The lock is full, the gate is wide,
    oh let the water go,
the swan goes out upon the tide,
    oh let the water go.

The mill stands still, the miller sleeps,
    oh let the water go,
and what the river takes it keeps,
    oh let the water go.

The frost has come, the reeds are grey,
    oh let the water go,
and nobody will mend the day,
    oh let the water go.
""",
    "a list of tasks": """- [ ] ring the roofer about the chimney
- [x] oxalic for both hives
- [ ] letter to Vaclav (the queen, the damsons, his knee)
- [ ] look for the deed of the mooring
- [x] new wick for the stove
- [ ] ask Oona whether she wants the second kitten after all
""",
    "a shopping list": "Milk\nBread\nCandles, the thick ones\nTwo jars\nString\n"
    "Oats\nSalt\nMatches\nSoap for the dog\n",
    "a diary with times": """07:10 up before the frost had gone. Both hives quiet.
08:30 tea with Vaclav, who has sold the boat. He would not say to whom.
11:00 began on the hatch. The hinge is worse than I thought.
13:15 soup.
15:40 Oona rang. She comes on Friday if the trains run.
21:05 too tired to write more than this, and the lamp smokes.
""",
    "a diary with stamps to the second": """2024-03-01 07:30:12 Woke from the dream about the
weir again.
2024-03-01 12:04:55 Bread came out flat, the yeast was from last year.
2024-03-01 18:22:03 Walked to the lock, nobody there but the heron.
2024-03-02 06:58:40 First primroses by the towpath.
2024-03-02 20:11:09 Wrote to Zoe at last and did not send it.
2024-03-03 09:15:31 The error was mine, of course: I had the hive facing north.
2024-03-03 22:40:00 A warning from the water board about Thursday.
""",
    "a diary with much code": """Spent the evening on the hive scale. It drops readings when the
battery is low, and I now know why: the retry sleeps with the lock held.

```python
def read(self):
    with self.lock:
        for attempt in range(3):
            value = self.port.readline()
            if value:
                return float(value)
            time.sleep(1)
    raise ScaleError("no reading")
```

Traceback (most recent call last):
  File "scale.py", line 41, in read
    return float(value)
ValueError: could not convert string to float

So: release the lock before sleeping. I wonder whether the spring inspection would have shown it,
had I looked at the numbers and not at the bees. Vaclav laughed for a full minute.

Tomorrow: `pip install pyserial==3.5`, a bigger capacitor, and no more code after ten.
""",
    "notes with a table": """What the hives weighed this spring, more or less:

| hive | March | April | May |
|------|-------|-------|-----|
| east | 21.5  | 24.0  | 31.2|
| west | 19.8  | 20.1  | 22.7|

West is behind, and I think it is the queen. She is three years old and was never in a hurry.
I shall give her until the acacia, then ask Vaclav for one of his.
""",
    "notes with links": """I read three things about varroa this week. The best was
https://bees.example.org/varroa/2024/winter-loss.html because it says plainly what nobody knows.
The second, www.example.com/mites, sells something. The third I have lost.
My own view has not changed: treat in December, sleep in January, count in March.
""",
    "a review of a licence": """I finally read the licence of that map software. It says "without
warranty of any kind" in capitals, which is fair, since it sent me into the river. I am allowed to
change it, and I would if I could. What bothers me is not the lawyers but the author, who put his
name on top and then hid behind three paragraphs. If I give somebody a jar of honey I do not make
them sign for the bees. Well. The map is good, except for the river, and it cost me nothing.
""",
    "a mail that complains of a newsletter": """Dear Mr Harbour,

please stop the newsletter. I pressed unsubscribe four times since June and it keeps coming; the
last one told me that my order has been delayed, and I ordered nothing. I am seventy, I write
letters, and I wanted one queen excluder from you in 2021. If your machine cannot let go of me,
could you please switch it off and tell me how you are instead?

With kind regards
Tomas
""",
    "a log of a journey": """Day 1. Left at six with the tide. Wind from the west, hardly any.
Day 2. Through the staircase of five locks, two hours, one quarrel.
Day 3. Rain. Stayed in, mended the kettle, read aloud.
Day 4. The aqueduct. I did not look down, she did nothing else.
Day 5. Home. The cat pretended not to know us.
Day 6. Slept.
""",
    "a tracker with words": """Mood: better than yesterday
Sleep: 6 hours, dreamt of the mill
Walk: to the second lock and back
Pages: 12
Wrote to: nobody
Grateful for: the stove
Mood: low
Sleep: 4 hours
Walk: none, ice
""",
    "a glossary": """gongoozler = one who watches boats and does nothing
windlass = the crank, always at the bottom of the canal
pound = the water between two locks
winding hole = where you turn, if you fit
skep = the straw hive of my grandmother
nuc = a small colony to begin with
""",
    "German": """Liebe Oona, heute bin ich endlich dazu gekommen, die Bienen einzuwintern. Es
war kälter
als gedacht, und die Donaudampfschifffahrtsgesellschaft hat wieder einmal gepfiffen, als ich den
Deckel gerade abhob. Vaclav meint, man solle das Futter nicht zählen, sondern wiegen. Er hat ja
meistens recht, aber ich zähle trotzdem. Komm bald, der Quittenkäse wird sonst hart. Dein Tomas""",
    "Russian": """Дорогая Зоя! Сегодня наконец-то перестал дождь, и я полдня чинил крышу над сараем.
Пчёлы сидят тихо, ульи тяжёлые, так что зимы я не боюсь. Вацлав принёс яблок и рассказывал о своей
лодке, которую он, кажется, всё-таки продал. Приезжай, когда сможешь: чай есть, дрова есть, а
поговорить не с кем. Обнимаю тебя. Томаш""",
    "Chinese": """今天早上雾很大,河面上什么也看不见。我去看了蜂箱,蜜蜂都很安静,
只有几只在门口晒太阳。
下午瓦茨拉夫来了,带了一篮苹果。我们坐在火炉旁边聊了很久,说起那条卖掉的船,他有点舍不得。
晚上给佐伊写了一封信,但是没有寄出去。也许明天吧。""",
    "Japanese": """今朝は霧が濃くて、川の向こう岸がまったく見えなかった。巣箱をのぞいてみると、
蜂たちは
静かにしていた。午後、ヴァーツラフがりんごをかごいっぱい持ってきてくれた。ストーブのそばで、
売ってしまった舟の話を長いことした。夜、ゾーイに手紙を書いたが、まだ出していない。""",
    "Arabic": """عزيزتي زوي، اليوم توقف المطر أخيرا وقضيت نصف النهار أصلح سقف المخزن. النحل هادئ
في بيوته
والخلايا ثقيلة، فلا أخاف من الشتاء هذا العام. جاء فاتسلاف ومعه سلة من التفاح، وتحدثنا طويلا عن
القارب
الذي باعه. تعالي متى استطعت، فالشاي حاضر والنار موقدة. مع حبي، توماس""",
    "Thai": """วันนี้ฝนหยุดตกเสียที ฉันใช้เวลาครึ่งวันซ่อมหลังคาโรงเก็บของ
ผึ้งเงียบสงบดีและรังก็หนัก
ฉันจึงไม่กลัวฤดูหนาวปีนี้ ตอนบ่ายเพื่อนบ้านเอาแอปเปิลมาให้หนึ่งตะกร้า เราคุยกันข้างเตาไฟอยู่นาน""",
    "Korean": """오늘 아침에는 안개가 짙어서 강 건너편이 보이지 않았다. 벌통을 들여다보니 벌들은
조용했다.
오후에 바츨라프가 사과를 한 바구니 가져왔고, 우리는 난롯가에서 팔아 버린 배 이야기를 오래 했다.""",
    "Hindi": """आज सुबह कोहरा इतना घना था कि नदी का दूसरा किनारा दिखाई नहीं देता था। मधुमक्खियाँ
शांत थीं।
दोपहर में वात्स्लाव एक टोकरी सेब लेकर आया और हम अंगीठी के पास देर तक बैठे बातें करते रहे।""",
    "dialogue": """"Did you see it?" "No." "Nor I." "Then it was not there." "Or we were not."
"You read too much." "You sleep too much." "Somebody has to." "Not on watch."
""",
    "a letter with figures": """Dear Zoe, you asked what the winter cost. Coal was 310, the
chimney 85 and
the vet 42, so with the 120 for the mooring it comes to 557. I had 600 put by. What is left buys the
honey jars, if the price of 0.35 each still holds for 100 of them. Do not worry about us.""",
}


def machine_made() -> dict[str, list[str]]:
    """Texts by the rule that has to leave them out."""
    rng = random.Random(5)
    return {
        "log": [_application_log(rng), _system_log(rng), _access_log(rng), _glog(rng)],
        "lock_file": [_npm_lock(rng), _poetry_lock(rng), _pip_hashes(rng), _checksums(rng)],
        "encoded": [_base64(rng), _hex_dump(rng), _pem(rng)],
        "minified": [_minified_script(rng), _minified_styles(rng)],
        "structured_data": [_json(rng), _one_line_json(rng), _json_lines(rng)],
        "markup": [_feed(rng), _drawing(rng)],
        "table": [_csv(rng), _tabs(rng)],
        "settings": [INI, DOTENV, YAML],
        "stack_trace": [PYTHON_TRACE, JAVA_TRACE],
        "link_list": [_bookmarks(rng), _bare_links(rng)],
        "numbers": [_figures(rng)],
        "generated_mail": [NOTICE, NEWSLETTER, GERMAN_NOTICE, JAPANESE_NOTICE],
        "licence": [MIT_LIKE, TERMS],
        "repeated_lines": [
            "All work and no play.\n" * 40,
            "\n".join(("ping", "pong") * 20),
            "蜂" * 500,
        ],
        "garbled": ["T h e b e e s a r e i n " * 6, "Die B\ufffdume bl\ufffdhen sch\ufffdn. " * 5],
        "too_short": ["Call Oona.", "", "明天见。", "OK, thanks!"],
    }


def _application_log(rng: random.Random) -> str:
    return "\n".join(
        f"2026-11-21 07:{n:02}:{rng.randrange(60):02},{rng.randrange(1000):03} "
        f"{rng.choice(('INFO', 'DEBUG', 'WARNING'))} app.sync: item {rng.randrange(9999)} done"
        for n in range(40)
    )


def _system_log(rng: random.Random) -> str:
    return "\n".join(
        f"Nov 21 07:{n:02}:11 barge kernel: [{rng.random() * 9999:.6f}] usb {n}: device attached"
        for n in range(30)
    )


def _access_log(rng: random.Random) -> str:
    return "\n".join(
        f'192.0.2.{rng.randrange(255)} - - [21/Nov/2026:07:{n:02}:00 +0000] "GET /a/{n} HTTP/1.1" '
        f"200 {rng.randrange(9000)}"
        for n in range(30)
    )


def _glog(rng: random.Random) -> str:
    return "\n".join(
        f"I1121 07:{n:02}:00.{rng.randrange(999999):06}   31 sync.cc:88] copied block"
        for n in range(20)
    )


def _digest(rng: random.Random) -> str:
    return hashlib.sha256(rng.randbytes(8)).hexdigest()


def _npm_lock(rng: random.Random) -> str:
    packages = {
        f"node_modules/left-{n}": {
            "version": f"1.{n}.0",
            "resolved": f"https://registry.example.org/left-{n}/-/left-{n}.tgz",
            "integrity": f"sha512-{base64.b64encode(rng.randbytes(64)).decode()}",
        }
        for n in range(20)
    }
    return json.dumps({"lockfileVersion": 3, "packages": packages}, indent=2)


def _poetry_lock(rng: random.Random) -> str:
    return "\n\n".join(
        f'[[package]]\nname = "left-{n}"\nversion = "1.{n}.0"\nfiles = [\n'
        f'    {{file = "left-{n}.whl", hash = "sha256:{_digest(rng)}"}},\n]'
        for n in range(12)
    )


def _pip_hashes(rng: random.Random) -> str:
    return "\n".join(f"left-{n}==1.{n}.0 \\\n    --hash=sha256:{_digest(rng)}" for n in range(12))


def _checksums(rng: random.Random) -> str:
    return "\n".join(f"{_digest(rng)}  photos/{n:04}.jpg" for n in range(20))


def _base64(rng: random.Random) -> str:
    return base64.encodebytes(rng.randbytes(3000)).decode()


def _hex_dump(rng: random.Random) -> str:
    return "\n".join(
        f"{n * 16:08x}: {rng.randbytes(16).hex(' ', 2)}  ................" for n in range(60)
    )


def _pem(rng: random.Random) -> str:
    body = base64.encodebytes(rng.randbytes(1200)).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


def _minified_script(rng: random.Random) -> str:
    parts = (
        f"function {chr(97 + n % 26)}(e,t){{return e&&t?e.map(function(n){{return n[{n}]||t}}):[]}}"
        for n in range(60)
    )
    return "!".join(parts)


def _minified_styles(rng: random.Random) -> str:
    return "".join(f".c{n}>a:hover{{margin:{n}px;color:#{n:03x};padding:0}}" for n in range(80))


def _json(rng: random.Random) -> str:
    return json.dumps(
        [{"id": n, "name": f"item {n}", "weight": rng.random()} for n in range(20)], indent=1
    )


def _one_line_json(rng: random.Random) -> str:
    return json.dumps({"readings": [round(rng.random(), 3) for _ in range(200)], "unit": "kg"})


def _json_lines(rng: random.Random) -> str:
    return "\n".join(json.dumps({"at": n, "kg": rng.random()}) for n in range(30))


def _feed(rng: random.Random) -> str:
    entries = "".join(
        f'<entry id="{n}"><link href="https://example.org/{n}"/><kind>photo</kind></entry>\n'
        for n in range(20)
    )
    return f'<?xml version="1.0"?>\n<feed>\n{entries}</feed>'


def _drawing(rng: random.Random) -> str:
    paths = "".join(f'<path d="M{rng.randrange(99)} {n}L{n} 9z" fill="#fff"/>\n' for n in range(30))
    return f"<svg>\n{paths}</svg>"


def _csv(rng: random.Random) -> str:
    return "\n".join(f"hive {n % 2},2026-0{n % 9 + 1}-01,{rng.random():.2f},ok" for n in range(30))


def _tabs(rng: random.Random) -> str:
    return "\n".join(f"{name}\tboat {n}\tyes" for n, name in enumerate("abcdefghij"))


INI = """[display]
width = 1024
height=768
full_screen = no
; how fast
refresh.rate = 60

[sound]
volume = 11
device_name = default
"""

DOTENV = """DATABASE_HOST=localhost
DATABASE_PORT=5432
CACHE_SIZE=100
LOG_LEVEL=info
FEATURE_X=true
export PATH_PREFIX=/srv
"""

YAML = """apiVersion: v1
kind: Service
metadata.name: honey
spec.type: ClusterIP
targetPort: 8080
max_replicas: 3
session_affinity: None
"""

PYTHON_TRACE = """Traceback (most recent call last):
  File "/srv/app/main.py", line 10, in <module>
    run()
  File "/srv/app/run.py", line 22, in run
    return step(value)
  File "/srv/app/step.py", line 7, in step
    raise ValueError(value)
ValueError: 7
"""

JAVA_TRACE = """java.lang.IllegalStateException: closed
    at org.example.Hive.open(Hive.java:41)
    at org.example.Yard.visit(Yard.java:17)
    at org.example.Main.main(Main.java:5)
Caused by: java.io.IOException: gone
    at org.example.Port.read(Port.java:88)
    ... 3 more
"""


def _bookmarks(rng: random.Random) -> str:
    return "\n".join(f"- [page {n}](https://example.org/{rng.randrange(9999)})" for n in range(15))


def _bare_links(rng: random.Random) -> str:
    return "\n".join(f"https://example.org/watch/{rng.randrange(10**9)}" for n in range(15))


def _figures(rng: random.Random) -> str:
    return "\n".join(" ".join(str(rng.randrange(1000)) for _ in range(6)) for _ in range(20))


NOTICE = """Hello,

your parcel is on its way and will arrive between 10:00 and 14:00 on Tuesday.
You can follow it with the number that we sent you before.

This is an automatically generated message. Please do not reply to this e-mail.
"""

NEWSLETTER = """View this email in your browser

Our autumn jars are here! Take ten percent off until Sunday.

Shop now

You are receiving this because you signed up in our shop. Unsubscribe or manage your preferences.
Read our privacy policy. Jars & Co, 1 Glass Street. All rights reserved.
"""

GERMAN_NOTICE = """Guten Tag,

Ihre Rechnung für den Monat Oktober liegt in Ihrem Kundenkonto bereit.

Diese E-Mail wurde automatisch erstellt. Bitte antworten Sie nicht darauf.
"""

JAPANESE_NOTICE = """いつもご利用いただきありがとうございます。ご注文の商品を発送いたしました。
このメールは自動送信されています。返信はできません。
"""

MIT_LIKE = """Copyright (c) 2026 Somebody

Permission is hereby granted to anyone who obtains these files to use them, subject to the
following conditions: this notice stays. The software is provided as it is, without warranty of any
kind, express or implied, not even that of fitness for a particular purpose. In no event shall its
authors be liable for any damages.
"""

TERMS = """By using this site you accept these terms and conditions. This agreement is governed
by the
laws of the island. You indemnify and hold harmless the jar company against every claim. The company
is not liable for any loss of honey. All rights reserved.
"""
