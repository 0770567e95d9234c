"""The words after which a secret stands, in several languages, and values that are none. Data.

Latin words are folded: lower case, without accents; a letter beyond Latin-1 is a question mark.
"""
# ruff: noqa: S105 - words for passwords are none

# Long enough to be found within a longer name (`dbPasswordProd`), and those that stand alone.
PASSWORD_WITHIN = (
    rb"pass[ _-]?(?:wor[dt]|wd|phrase|code|wrd|ord)|passwd|pwd|pswd|kennwort|zugangscode|"
    rb"mots?[ _]de[ _]passe|contrasena|contrasenya|palavra[ -]passe|wachtwoord|senha|"
    rb"parola d'ordine|has[l?]o\b|heslo|jelszo|lozink|salasana|losenord|adgangskode|kodeord|"
    rb"slaptazodi|[s?]ifre|geslo|parool|geheimzahl|passphrase"
)
PASSWORD_ALONE = (
    rb"pass|pw|psw|mdp|clave|parola|parole|pin(?:[ _-]?(?:code|nr|number|nummer))?|puk|tan|"
    rb"(?:wi-?fi|wlan|wpa2?|network)[ _-]?(?:key|schlussel|code|psk)|psk|"
    rb"master[ _-]?key|requirepass|masterauth|passe|userpw"
)
PASSWORD_BEYOND_LATIN = (
    "парол[ьяі]|κωδικός|密码|密碼|口令|パスワード|暗証番号|비밀번호|암호|סיסמה|كلمة المرور|"
    "كلمة السر|पासवर्ड|รหัสผ่าน|mật khẩu"
)

SECRET_WITHIN = (
    rb"secret|(?:api|access|auth|account|app|application|encryption|enc|signing|sign|client|"
    rb"consumer|shared|service|storage|admin|private|server|user|license|deploy|ssh|sas|webhook|"
    rb"subscription|integration|license|licen[sc]e)[ _.-]?key|token|apikey|credential|"
    rb"x-auth|x-api|session[ _-]?(?:id|key)|signature|jwt|sas[ _-]?url|connection[ _-]?string"
)
SECRET_ALONE = rb"auth|key|sig|cred|creds|oauth|bearer|sid|code|k"  # `key` and after: in a query

# Of the shape of a value, but said of one.
_NO_VALUES = (
    "none null nil true false undefined unset string str int bool boolean text varchar char "
    "required optional mandatory empty blank missing unknown default input field prompt hidden "
    "redacted removed masked encrypted hashed plaintext plain invalid valid incorrect correct "
    "wrong expired needed changed reset forgotten protected the a an my your his her our their "
    "this that it is was not no yes ask see same both any all only some here there n/a tbd todo "
    "yourpassword your_password your-password yourtoken changeit password passwort example "
    "sha1 sha-1 sha256 sha-256 sha512 sha-512 md5 oauth oauth2 base64 argon2 argon2id bcrypt "
    "scrypt pbkdf2 utf8 utf-8 ipv4 ipv6 web3 wpa2 wpa3 wi-fi b2b 2fa mfa u2f fido2"
)
NO_VALUES = frozenset(_NO_VALUES.split())
