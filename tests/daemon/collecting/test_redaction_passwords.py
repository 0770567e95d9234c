"""Passwords and secrets where something is set to them, said, or logged in with."""

import pytest

from daemon.collecting.redaction import find_named
from tests.daemon.collecting.secret_making import made

WORD, MIXED, CODE = "sword" + "fish", "hunter" + "2", made("{w24}")

# {} stands for the secret; each line is one way of writing it down.
ASSIGNED = """
password = {}
password={}
password: "{}"
'password': '{}',
"password": "{}",
"passwd":"{}"}
{\\"password\\":\\"{}\\"}
PASSWORD={}
export DB_PASSWORD='{}'
DB_PASSWORD: {}
$password = "{}";
string password = @"{}";
private static final String PASSWORD = "{}";
const dbPassword = `{}`;
:password => '{}',
password: str = "{}"
PASSWORD := "{}"
if password == "{}":
var pwd = '{}';
pass: {}
pw: {}
wpa_passphrase={}
psk="{}"
Server=db;User Id=sa;Password={};Encrypt=yes
mysql -u root --password={} db
https://example.org/login?user=a&password={}&x=1
  - password: {}
* Password: {}
**Password:** {}
Passwort: {}
Kennwort = "{}"
mot de passe : {}
contraseña: {}
clave: {}
wachtwoord: {}
hasło: {}
heslo: {}
senha: {}
salasana: {}
lösenord: {}
adgangskode: {}
пароль: {}
Пароль = {}
密码：{}
パスワード: {}
비밀번호: {}
"""
SAID = """
my password is {}!
The password was {}.
the password was changed to {} yesterday
password for the router is {}
Mein Passwort ist {}.
Das Kennwort lautet {}.
le mot de passe est {}
mi contraseña es {}
het wachtwoord is {}
a senha é {}
мой пароль это {}
Password - {}
username: bob / password: {}
"""
ELSEWHERE = """
<password>{}</password>
<add key="Password" value="{}" />
setPassword("{}")
login("bob", password="{}")
define('DB_PASSWORD', '{}');
CREATE USER bob WITH PASSWORD '{}';
ALTER USER bob IDENTIFIED BY '{}';
mysql --password {} db
sshpass -p {} ssh host
curl -u bob:{} https://example.org
postgres://bob:{}@db.example.org:5432/app
redis://:{}@127.0.0.1:6379
mongodb+srv://admin:{}@cluster0.example.net/test
https://bob:{}@example.org/path
machine example.org login bob password {}
db.example.org:5432:app:bob:{}
"""
HEADERS = """
Authorization: Bearer {}
Authorization: Basic {}
authorization: token {}
-H "Authorization: Bearer {}"
headers = {"Authorization": "Bearer {}"}
X-Api-Key: {}
X-Auth-Token: {}
Cookie: theme=dark; session={}
Set-Cookie: sid={}; Path=/; HttpOnly
api_key = "{}"
apiKey: '{}',
SECRET_KEY={}
client_secret={}
access_token: {}
"token": "{}"
https://example.org/cb?access_token={}&state=1
https://example.org/c?sv=2020&sig={}
https://example.org/api?key={}
getToken("{}")
secret: {}
encryption-key={}
"""


def lines(block: str) -> list[str]:
    return [line for line in block.splitlines() if line]


def assert_only_the_secret_goes(template: str, secret: str) -> None:
    before, _, after = template.partition("{}") if "{}" in template else ("", "", "")
    text = before + secret + after
    finds = find_named(text)
    assert len(finds) == 1, (text, finds)
    assert text[finds[0].start : finds[0].end].rstrip("!") == secret
    assert finds[0].kind in ("password", "token")


@pytest.mark.parametrize("secret", [MIXED, "P@ss" + "w0rd", "Tr0ub4dor" + "&3", "s3cr3t!" + "pass"])
@pytest.mark.parametrize("template", lines(ASSIGNED))
def test_a_password_that_is_set(template: str, secret: str) -> None:
    if "&" in secret and "?" in template:
        secret = secret.replace("&", "%26")
    assert_only_the_secret_goes(template, secret)


@pytest.mark.parametrize("template", [one for one in lines(ASSIGNED) if not one.startswith("**")])
def test_a_password_that_is_a_plain_word(template: str) -> None:
    assert_only_the_secret_goes(template, WORD)


@pytest.mark.parametrize("secret", [MIXED, "tulip" + "-99", "Katze" + "123"])
@pytest.mark.parametrize("template", lines(SAID))
def test_a_password_that_is_said(template: str, secret: str) -> None:
    assert_only_the_secret_goes(template, secret)


@pytest.mark.parametrize("template", lines(ELSEWHERE))
def test_a_password_where_no_sign_sets_it(template: str) -> None:
    assert_only_the_secret_goes(template, MIXED)


@pytest.mark.parametrize("template", lines(HEADERS))
def test_secrets_in_headers_queries_and_settings(template: str) -> None:
    assert_only_the_secret_goes(template, CODE)


@pytest.mark.parametrize("text", ['It is "' + WORD + '".', "my PIN is 4711", "PIN: 0815"])
def test_pins_and_quoted_words(text: str) -> None:
    said = text if "PIN" in text else "The wifi password is" + text.removeprefix("It is")
    assert [one.kind for one in find_named(said)] == ["password"]


@pytest.mark.parametrize(
    "template",
    [
        "$1${w8}${w22}", "$2y$10${w53}", "$5${w16}${w43}", "$6${w16}${w86}", "$y$j9T${w22}${w43}",
        "$apr1${w8}${w22}", "$argon2id$v=19$m=65536,t=3,p=4${w22}${w43}", "{{SHA}}{b27}=",
        "{{SSHA}}{b32}", "pbkdf2_sha256$260000${w22}${b43}=",
    ],
)  # fmt: skip
def test_hashes_of_passwords(template: str) -> None:
    value = made(template.replace("{{", "\0").replace("}}", "\1")).replace("\0", "{")
    value = value.replace("\1", "}")
    for text in (f"bob:{value}", f"bob:{value}:18000:0:99999:7:::", f"hash {value} end"):
        (find,) = find_named(text)
        assert text[find.start : find.end] == value


@pytest.mark.parametrize(
    "text",
    """
The password is wrong.
Password: required
"password": "string"
password = getpass.getpass()
password = os.environ["DB_PASSWORD"]
password = config.password
password: ${DB_PASSWORD}
password: <your password>
password={{ db_password }}
password = None
password: str
def login(user: str, password: str) -> bool:
PASSWORD_FIELD = FORM_FIELD
password_field = form.password
password = new_password
self.password = password
She gave the password: a smile, and nothing more.
The password to heaven is love.
I forgot my password again in 2019.
Change your password every 90 days.
password must be: at least 8 characters, 1 number
password: see below
Password:
The secret: there is none.
The key = the door.
token: a small thing
"keys": ["a", "b"]
key: value
primary_key=True
sort(key=lambda x: x[1])
The pass is 2000 m high.
passes: 3
the passage is 12km long
She passed: 17 of 20 points
Pin: a small needle
The pin number is on page 1234 of the book.
secret garden: chapter 12
Authorization: see section 5
The cookie: a recipe=simple
password reset token expired
The token is a word or a part of one.
https://example.org/?q=bees&key=name&page=2
https://example.org/token=yes
http://example.org:8080/path@2x.png
git@github.com:user/repo
Das Geheimnis: 12345
I shall pass: it is noon.
Passenger: Anna
compass: 120 degrees
The passport is red.
Le mot de passe est faux.
Das Passwort ist falsch.
Passwords are hashed with SHA256.
the password is hashed with sha256 and md5
Cost: $5, $6 and $1 each
if (password.length < 8) {
password.value = ""
const { password } = req.body
""".strip().splitlines(),
)
def test_words_about_secrets_and_code_without_one_stay(text: str) -> None:
    assert not [one for one in find_named(text) if one.kind != "email"]
