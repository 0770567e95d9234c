"""What stands in an export of WhatsApp in the place of words that nobody said, by language. Pure.

Pictures that were left out, deleted messages, polls, places, calls, and marks of an edit. What iOS
puts there itself begins with an unseen mark in every language; the table is for Android.
"""

import re

_FILE = r"[\w+()\- .]{1,120}\.\w{2,5}"
_LRM = "‎"
# `Photo.jpg (file attached)` and its translations, at the end of a line.
_ATTACHED = re.compile(
    rf"{_FILE} \((?:file attached|archivo adjunto|Datei angehängt|fichier joint|file allegato|"
    r"arquivo anexado|ficheiro anexado|bestand bijgevoegd|файл добавлен|файл прикреплен|"
    r"dosya ekli|plik dołączony|attached file|تم إرفاق الملف|الملف مرفق|फ़ाइल जोड़ी गई|"
    r"फ़ाइल संलग्न है|फ़ाइल अटैच की गई)\)",
    re.IGNORECASE,
)
_CAMERA_FILE = re.compile(r"(?:IMG|VID|PTT|AUD|STK|DOC)-\d{8}-WA\d{4}\.\w{2,5} \([^()\n]+\)")
_ANGLE_LINE = re.compile(r"<[^<> \n]+(?: [^<> \n]+){1,6}>")
_UNSEEN_END = re.compile(rf"{_LRM}<[^<>\n]*>\Z")
_EDITED_END = re.compile(
    r"<(?:This message was edited|Diese Nachricht wurde bearbeitet|Ce message a été modifié|"
    r"Se editó este mensaje|Este mensaje fue editado|Este mensaje se editó|Mensagem editada|"
    r"Esta mensagem foi editada|Questo messaggio è stato modificato|Messaggio modificato|"
    r"Dit bericht is bewerkt|Bericht bewerkt|Данное сообщение изменено|Это сообщение изменено|"
    r"Сообщение изменено|تم تعديل هذه الرسالة|تم تعديل الرسالة|यह मैसेज एडिट किया गया|"
    r"यह मैसेज एडिट किया गया है|यह संदेश संपादित किया गया|Bu mesaj düzenlendi|"
    r"Wiadomość edytowana)\.?>\Z",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"[^\n:]{3,40}: https?://(?:maps\.google\.com|www\.google\.com/maps|goo\.gl/maps|"
    r"maps\.app\.goo\.gl|maps\.apple\.com|foursquare\.com)/\S*"
)
_POLL = re.compile(
    r"(?:POLL|UMFRAGE|ENCUESTA|SONDAGE|ENQUETE|VOTAÇÃO|SONDAGGIO|PEILING|ОПРОС|استطلاع الرأي|"
    r"استطلاع|पोल|ANKET|ANKIETA):(?:\s|$)"
)
# A message quoted by copying it: what follows are another's words, also those of many messages.
_COPIED = re.compile(
    r"^\[\d{1,4}[./-]\d{1,2}(?:[./-]\d{1,4})?,? \d{1,2}[:.]\d{2}[^\]\n]{0,12}\] [^:\n]{1,60}: ",
    re.MULTILINE,
)
_NOT_SAID = frozenset(
    line.casefold()
    for line in """
null
Media omitted
image omitted
video omitted
audio omitted
sticker omitted
GIF omitted
document omitted
Contact card omitted
Video note omitted
This message was deleted
You deleted this message
Waiting for this message
Waiting for this message. This may take a while
Missed voice call
Missed video call
Missed group voice call
Missed group video call
Live location shared
You received a view once message. For added privacy, you can only open it on your phone
Medien ausgeschlossen
Medien weggelassen
Bild weggelassen
Video weggelassen
Audio weggelassen
Sticker weggelassen
Dokument weggelassen
Diese Nachricht wurde gelöscht
Du hast diese Nachricht gelöscht
Verpasster Sprachanruf
Verpasster Videoanruf
Live-Standort wird geteilt
Auf diese Nachricht warten
Médias omis
Média omis
Fichier média omis
Ce message a été supprimé
Vous avez supprimé ce message
Tu as supprimé ce message
Appel vocal manqué
Appel vidéo manqué
Localisation en direct partagée
En attente de ce message
Multimedia omitido
Archivo omitido
imagen omitida
video omitido
audio omitido
sticker omitido
Se eliminó este mensaje
Eliminaste este mensaje
Este mensaje fue eliminado
Has eliminado este mensaje
Llamada perdida
Videollamada perdida
Llamada de voz perdida
Ubicación en tiempo real compartida
Esperando este mensaje
Mídia oculta
Ficheiro não revelado
imagem ocultada
áudio ocultado
vídeo omitido
Mensagem apagada
Esta mensagem foi apagada
Essa mensagem foi apagada
Você apagou esta mensagem
Apagou esta mensagem
Chamada de voz perdida
Chamada de vídeo perdida
Localização em tempo real compartilhada
Aguardando mensagem
Media omessi
File multimediale omesso
immagine omessa
video omesso
audio omesso
Questo messaggio è stato eliminato
Hai eliminato questo messaggio
Chiamata persa
Videochiamata persa
Chiamata vocale persa
Posizione in tempo reale condivisa
In attesa del messaggio
Media weggelaten
afbeelding weggelaten
video weggelaten
audio weggelaten
Dit bericht is verwijderd
Je hebt dit bericht verwijderd
U hebt dit bericht verwijderd
Gemiste spraakoproep
Gemiste video-oproep
Live locatie gedeeld
Wachten op dit bericht
Без медиафайлов
Файл исключён
Данное сообщение удалено
Это сообщение удалено
Вы удалили данное сообщение
Вы удалили это сообщение
Пропущенный аудиозвонок
Пропущенный видеозвонок
Пропущенный звонок
Ожидание сообщения
تم استبعاد الوسائط
تم حذف هذه الرسالة
لقد حذفت هذه الرسالة
حذفت هذه الرسالة
مكالمة صوتية فائتة
مكالمة فيديو فائتة
في انتظار هذه الرسالة
मीडिया के बिना
मीडिया छोड़ा गया
मीडिया शामिल नहीं है
यह संदेश हटा दिया गया था
यह मैसेज हटा दिया गया था
यह मैसेज डिलीट किया गया है
यह मैसेज डिलीट किया गया
आपने यह संदेश हटा दिया
आपने यह मैसेज हटा दिया
आपने यह मैसेज डिलीट किया है
मिस्ड वॉइस कॉल
मिस्ड वीडियो कॉल
Medya dahil edilmedi
Bu mesaj silindi
Bu mesajı sildiniz
Pominięto multimedia
Wiadomość usunięta
Usunięto wiadomość
""".strip().splitlines()
)


def words_of(text: str, *, marks_own_lines: bool) -> str:
    """What somebody said in a message, and nothing else; empty where nothing was said.

    Args:
        marks_own_lines: as iOS does: what the app wrote itself begins with an unseen mark.
    """
    if marks_own_lines and text.startswith(_LRM):
        return ""
    text = text.rstrip()
    if _LRM in text:
        text = _UNSEEN_END.sub("", text).rstrip()
    copied = _COPIED.search(text) if "] " in text else None
    if copied is not None:
        text = text[: copied.start()]
    if "<" in text:
        text = _EDITED_END.sub("", text)
    first, line_end, rest = text.partition("\n")
    bare = first.replace(_LRM, "").strip()
    if _stands_for_a_file(bare):
        return rest.strip()  # a caption
    if ":" in bare and (_POLL.match(bare) or (not line_end and _PLACE.fullmatch(bare))):
        return ""
    if not line_end and bare.rstrip(".").casefold() in _NOT_SAID:
        return ""
    return text.strip()


def _stands_for_a_file(line: str) -> bool:
    if line.endswith(")"):
        return bool(_ATTACHED.fullmatch(line) or _CAMERA_FILE.fullmatch(line))
    return line.startswith("<") and bool(_ANGLE_LINE.fullmatch(line))
