"""What mail programs write between one letter and the next, in the languages that they speak.

Each expression is matched against one line, or against two or three that were joined to one, of at
most `LONGEST` characters; none of them backtracks over more than that.
"""

import re

LONGEST = 400  # characters of a line that is looked at

# `On Monday Anna wrote:` and its like end with one of these, before or after the name.
VERBS = (
    r"wrote|writes|said|schrieb|schreibt|geschrieben|a [ée]crit|écrivait|escribió|escribio|"
    r"ha scritto|scrisse|schreef|geschreven|escreveu|napisał(?:\(a\)|a)?|napsal(?:\(a\)|a)?|"
    r"skrev|kirjoitti|írta|ezt írta|писал(?:\(а\)|а)?|пишет|написал(?:\(а\)|а)?|написав|yazdı|"
    r"έγραψε|scris|a scris|je napisao|napisal/-a"
)
_BEGIN = (
    r"On|Am|Le|El|Il giorno|Il|Op|Em|Dnia|W dniu|Dne|Den|Ons|Man|Tir|Tor|Fre|Lør|Søn|På|Pe|"
    r"În|Στις|В|Quoting|Citando|Zitat von|At|In data|Dana|Kl|V"
)
_VERB = re.compile(rf"\b(?:{VERBS})(?!\w)|写道|のメール|작성", re.IGNORECASE)
_BEGINS = re.compile(rf"(?:{_BEGIN})\b|\d", re.IGNORECASE)
_ASIDE = re.compile(r"\s*(?:\(.*\))?\s*")
_WITHOUT_VERB = re.compile(r"[^@]{0,60}\d{4}[^@]{4,160}<[^@<>\s]{1,64}@[^@<>\s]{1,200}>\s?[:：]")


def is_attribution(line: str) -> bool:
    """Whether a line says who is quoted, as `On Monday Anna wrote:` does."""
    if not line.endswith((":", "：")):
        return False
    verbs = list(_VERB.finditer(line))
    if not verbs:
        return bool(_WITHOUT_VERB.fullmatch(line))
    before, after = line[: verbs[-1].start()].strip(), line[verbs[-1].end() : -1]
    if len(before) > 3 and len(after) <= 120 and _BEGINS.match(before):
        return True
    said = _ASIDE.fullmatch(after) or (len(after) <= 100 and any(map(str.isdigit, after)))
    return len(before) > 1 and bool(said)


# Enough to believe it where nothing after it is marked as quoted: a date or an address in it.
DATED = re.compile(
    rf"(?:(?:{_BEGIN})\b|\d{{1,4}}[./年년-]).{{0,300}}?(?:\d{{4}}|\d[:.h]\d\d|\S@\S).*",
    re.IGNORECASE,
)

# A line that begins a letter which was sent on, or answered without marks.
FORWARDED = re.compile(
    r"[-_*>\s]*(?:begin forwarded message|forwarded message|forwarded by .{1,100}|"
    r"anfang der weitergeleiteten (?:e-?mail|nachricht)|weitergeleitete nachricht|"
    r"(?:début du )?message (?:transféré|réexpédié)|message transféré|"
    r"mensaje reenviado|inizio messaggio inoltrato|messaggio inoltrato|"
    r"doorgestuurd bericht|begin doorgestuurd bericht|mensagem encaminhada|"
    r"przekazana wiadomość|přeposlaná zpráva|videresendt meddelelse|vidarebefordrat meddelande|"
    r"пересылаемое сообщение|начало переадресованного (?:сообщения|письма)|转发的邮件|"
    r"転送されたメッセージ"
    r")\s*:?[-_*\s]*",
    re.IGNORECASE,
)
ORIGINAL = re.compile(
    r"[-_*\s]{2,}(?:original message|original appointment|ursprüngliche (?:nachricht|mail)|"
    r"originalnachricht|original-?nachricht|message d'origine|message original|mensaje original|"
    r"messaggio originale|oorspronkelijk bericht|mensagem original|wiadomość oryginalna|"
    r"původní zpráva|oprindelig meddelelse|ursprungligt meddelande|opprinnelig melding|"
    r"исходное сообщение|原始邮件|邮件原件|original mail|reply message)\s*[-_*\s]{2,}",
    re.IGNORECASE,
)

# The head that some programs put over the letter below: a sender, and two of the others.
HEAD_SENDER = re.compile(
    r"\*?(?:from|von|de|da|van|od|fra|från|от|发件人|差出人|보낸 ?사람|lähettäjä|feladó|kimden)"
    r"\s?\*?\s?[:：]\*?\s?\S",
    re.IGNORECASE,
)
HEAD_OTHER = re.compile(
    r"\*?(?:sent|date|to|cc|subject|gesendet|datum|an|betreff|kopie|envoyé|à|objet|enviado|para|"
    r"asunto|fecha|inviato|a|oggetto|data|verzonden|aan|onderwerp|assunto|wysłano|do|temat|"
    r"odesláno|komu|předmět|sendt|til|emne|skickat|till|ämne|отправлено|дата|кому|тема|"
    r"发送时间|收件人|主题|抄送|reply-to|importance|organization|importanza|priorität)"
    r"\s?\*?\s?[:：]\*?(?:\s|$)",
    re.IGNORECASE,
)

SENT_FROM = re.compile(
    r"(?:sent|written|typed) (?:from|with|on|via) (?:my |the )?"
    r"(?:i?phone|ipad|android|samsung|galaxy|blackberry|mobile|outlook|mail\b|yahoo|proton|smartphone|"
    r"a mobile|windows|nokia|tablet|gmail|thunderbird|k-9|fairphone|huawei|pixel).{0,80}|"
    r"get outlook for .{1,80}|"
    r"(?:von meinem|gesendet (?:von|mit)|von unterwegs gesendet|diese nachricht wurde von meinem)"
    r" ?.{0,80}(?:gesendet|iphone|ipad|android|handy|smartphone|mail|samsung|outlook|"
    r"versendet).{0,60}|"
    r"envoyé (?:de|depuis) (?:mon|ma|l'|yahoo|outlook|proton).{0,80}|"
    r"enviado (?:desde|do) (?:mi|meu|yahoo|outlook).{0,80}|inviato da(?:l mio)? .{1,80}|"
    r"verzonden (?:vanaf|met) (?:mijn )?.{1,80}|verstuurd vanaf mijn .{1,80}|"
    r"wysłano z .{1,80}|sendt fra min .{1,80}|skickat från min .{1,80}|odesláno z .{1,80}|"
    r"отправлено с .{1,80}",
    re.IGNORECASE,
)
DISCLAIMER = re.compile(
    r"(?:\*+\s*)?(?:disclaimer|confidentiality notice|confidential(?:ity)?:|privileged|"
    r"this (?:e-?mail|message|communication)(?: and any (?:attachments?|files))?[^.]{0,80}"
    r"(?:confidential|intended|privileged)|"
    r"the information (?:contained )?in this (?:e-?mail|message)|"
    r"please consider the environment|"
    r"diese (?:e-?mail|nachricht)[^.]{0,80}(?:vertraulich|bestimmt)|"
    r"ce (?:message|courriel)[^.]{0,80}(?:confidentiel|destinataire)|"
    r"este (?:mensaje|correo)[^.]{0,80}confidencial|"
    r"virus-free\.|this email has been (?:checked|scanned)|"
    r"virenfrei\.|sans virus\.|libre de virus\.)",
    re.IGNORECASE,
)
# The line over a name at the end of a letter.
CLOSING = re.compile(
    r"(?:(?:many |best |kind |warm |with |kindest |warmest |my )*(?:regards|wishes|thanks)|best|"
    r"all the best|cheers|love|yours(?: (?:sincerely|truly|faithfully|ever))?|sincerely(?: yours)?|"
    r"take care|thank you|"
    r"(?:mit )?(?:(?:viele[nr]?|liebe[nr]?|beste[nr]?|herzliche[nr]?|schöne[nr]?|freundliche[nr]?|"
    r"sonnige[nr]?|ganz) ?)*(?:grüßen?|grüssen?|gruß|gruss|gruessen?)(?: (?:von|aus) .{1,30})?|"
    r"(?:mfg|lg|vg|bg|hg)|hochachtungsvoll|alles (?:gute|liebe)|"
    r"(?:bien )?(?:cordialement|amicalement|sincèrement)|bien à (?:toi|vous)|bises|à bientôt|"
    r"(?:(?:un|muchos|cordiales) )?(?:saludos?|abrazos?)|atentamente|"
    r"(?:cordiali |cari |un )?saluti|distinti saluti|a presto|"
    r"(?:met )?(?:vriendelijke |hartelijke )?groet(?:en|jes)?|"
    r"atenciosamente|(?:um )?abraços?|(?:serdecznie )?pozdrawiam|z poważaniem|s pozdravem|"
    r"(?:med )?(?:vänlig(?:a)? |venlig |vennlig |bästa )?(?:hälsning(?:ar)?|hilsen)|mvh|"
    r"с уважением|всего доброго)\s*[,.!:]*",
    re.IGNORECASE,
)
SEPARATOR = re.compile(r"[_\-=*]{20,}\s*")  # a line; what follows says whether a head begins
LIST_FOOTER = re.compile(
    r".{0,80}(?:mailing list|mailman/listinfo|unsubscribe|to post to this group|google groups)",
    re.IGNORECASE,
)
