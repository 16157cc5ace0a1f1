"""Which encoding a text is in that is no UTF-8 and says nothing of itself: tables and names of files as people have.

Class names are short, often two or three words in all, and the libraries for this (charset-normalizer, chardet) are
made for pages of text: docs/measured/data.md has how often each was right. So we ask of each encoding how probable its
reading is, with what is known of the scripts: which characters are frequent in a language, which are rare though they
exist, which stand inside words. The most probable reading wins; where none is a reading at all, nothing is guessed.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..errors import DataError, one_line

MARKS = (  # at the beginning of a text; UTF-32's before UTF-16's, which it begins with
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
SEEN_BYTES = 2**20  # of a text
SEEN_WORDS = 300  # different ones that are no ASCII; after these nothing changes any more
ASCII = math.log(1 / 40)  # an ASCII character, where an encoding of two bytes would swallow it
NEVER = math.log(1e-8)  # a character that no text of the language has
# The least that a reading's characters beyond ASCII have in the mean; below, it is no text of that language.
LEAST_OF_CHARACTERS, LEAST_OF_LETTERS = -11.5, -7.7

# The most frequent in written language, in no order; of China, of Taiwan and Hong Kong, and of Korea.
HANZI = (
    "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没"
    "日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美"
    "点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并"
    "内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反"
    "合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义"
    "科元社术结六功指思非流每青管连远资队带花快条院变联言权往展该领传近留红治周保达办运武半七城父强步完革深区即求品士转量空众轻"
    "程江语英基满式黄收未取设双史商千片容像友站广形早房音火首单影网香石飞包造落视喜离坏器米类食狗猫鸟鱼草树叶果菜衣病类型其他"
)
HANZI_OF_TAIWAN = (
    "的一是不了人我在有他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可她里後小么心多天而能好都然沒"
    "日於起還發成事只作當想看文無開手十用主行方又如前所本見經頭面公同三已老從動兩長知民樣現分將外但身些與高意進把法此實回二理美"
    "點月明其種聲全工己話兒者向情部正名定女問力機給等幾很業最間新打便位因重被走電四第門相次東政海口使教西再平真聽世氣信北少關並"
    "內加化由卻代軍產入先山五太水萬市眼體別處總才場師書比住員九笑性通目華報立馬命張活難神數件安表原車白應路期叫死常提感金何更反"
    "合放做系計或司利受光王果親界及今京務制解各任至清物台象記邊共風戰干接它許八特覺望直服毛林題建南度統色字請交愛讓認算論百吃義"
    "科元社術結六功指思非流每青管連遠資隊帶花快條院變聯言權往展該領傳近留紅治周保達辦運武半七城父強步完革深區即求品士轉量空眾輕"
    "程江語英基滿式黃收未取設雙史商千片容像友站廣形早房音火首單影網香石飛包造落視喜離壞器米類食狗貓鳥魚草樹葉果菜衣病類型其他"
)
SYLLABLES = (
    "이다는의에가을를은고하지로기서사도리아한자시어해정대스인나일수라전제상장그보부주원국공구성선생동면간것들게적과있여년안오마유요"
    "소방조물말개미비우모세연무신만실교관모용바치경계학회당내발명민정식건강산석남북동서음악위의화재조차타트크드프브플르러레로루니네"
    "노누너더디데두던할함합행형호후환활현향협희준중즉증직진질집차착참창처천철청체초총최추축출충취측층토통투특파판편평포표품풍피필"
    "각갈감갑값강같거걸검격결경곡골광길김까꽃나날남낮년녹논농느능단달담답당돌돼든등따때라락란람래량려력련령론료류률름릉린림매맥"
    "맨머먼멀명목문반받밤밥배백버번벌범법벽변별병복본봉분불빨빛뱀새색설섯속손송술습승심십쓰쌀알압앙야약양언업없역열영예온완왕외원월"
    "육은응임입잎작잔잠점접족존종좋죄질축치침칼코태택터텔패팬폐폭하합해핵헌험혈혼홍확황획효훈흐흑흰힘"
)
CYRILLIC = ("оеаинтсрвлкмдпу", "яыьгзбчйхжшюцщэфёъіїєґў")  # frequent, and the others
GREEK = ("αοιετσνηυρπκμλς", "ωδγχθφβξζψάέήίόύώϊϋΐΰ")


@dataclass(frozen=True)
class Reading:
    """One way to read a text: an encoding, how often people have it, and the probability of a character in it."""

    encoding: str
    prior: float  # log
    of_word: Callable[[str], float]  # log probability of a word, without its ASCII characters
    least: float  # the mean of a character beyond ASCII


def guess_encoding(data: bytes) -> str:
    r"""The encoding of a text, as Python calls it: by its mark, UTF-8, or the most probable; "" where none is likely.

    Example:
        guess_encoding("path,label\na.jpg,Päonie".encode("cp1252"))  # "cp1252"
    """
    marked = next((encoding for mark, encoding in MARKS if data.startswith(mark)), "")
    if marked:
        return marked
    try:
        data.decode("utf-8")
        return "" if b"\0" in data else "utf-8"
    except UnicodeDecodeError:
        pass
    if b"\0" in data:
        return _wide(data)
    words = _foreign_words(data[:SEEN_BYTES])
    if _mostly_utf8(words):
        return ""
    likelihoods = {reading: _likelihood(words, reading) for reading in READINGS}
    best = max(READINGS, key=lambda reading: likelihoods[reading][0])
    return best.encoding if likelihoods[best][1] > best.least else ""


def decode_text(data: bytes, *, name: str, asked: str = "") -> tuple[str, str]:
    """A text and what is said of its encoding, "" for UTF-8; DataError when it isn't what was asked, or none fits."""
    encoding = asked or guess_encoding(data)
    is_utf8 = bool(encoding) and codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
    try:
        if encoding:
            text = data.decode("utf-8-sig" if is_utf8 else encoding).removeprefix("\ufeff")
            return text, "" if is_utf8 or asked else f"{name} is read as {encoding} (use --encoding for another)"
        data.decode("utf-8")
        found = "text with null bytes"
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"bytes {data[error.start : error.start + 4].hex(' ')} in line {line}, which are not valid"
    raise DataError(
        f"{name!r} to be text in {encoding or 'UTF-8'}", found=one_line(found),
        fix="Correct that line, or name the encoding, such as --encoding gb18030 or cp1252.",
    )  # fmt: skip


def _wide(data: bytes) -> str:
    """UTF-16 without a mark: every other byte of its ASCII is a zero."""
    seen = data[: SEEN_BYTES // 2 * 2]
    for encoding, zeros in (("utf-16-le", seen[1::2]), ("utf-16-be", seen[::2])):
        if len(data) % 2 == 0 and zeros.count(0) > len(zeros) / 3 and zeros.count(0) == seen.count(0):
            return encoding
    return ""


def _foreign_words(data: bytes) -> list[bytes]:
    """The different cells and parts of paths that are no ASCII."""
    # None of these is ever the second byte of a character, as | and \ are.
    cells = dict.fromkeys(cell for cell in re.split(rb"[\r\n,;\t/\"]+", data) if not cell.isascii())
    return list(cells)[:SEEN_WORDS]


def _mostly_utf8(words: list[bytes]) -> bool:
    """Whether this is UTF-8 with a damage: most of what is no ASCII is whole in it, as it is by chance in no other."""
    text = b"\n".join(words).decode("utf-8", "replace")
    bad = text.count("\ufffd")
    return sum(not char.isascii() for char in text) - bad > 2 * bad


def _likelihood(words: list[bytes], reading: Reading) -> tuple[float, float]:
    """Log likelihood of words in a reading, and its mean over the characters that are no ASCII."""
    beyond, foreign, plain = 0.0, 0, 0
    for word in words:
        try:
            text = word.decode(reading.encoding)
        except UnicodeDecodeError:
            return -math.inf, -math.inf
        count = sum(not char.isascii() for char in text)
        beyond += reading.of_word(text)
        foreign += count
        plain += len(text) - count
    return reading.prior + beyond + ASCII * plain, beyond / max(foreign, 1)


# ---- Two bytes to a character. The tables of these encodings begin with the characters that are in daily use.


@dataclass(frozen=True)
class Level:
    """A part of a table: first and last lead byte, the first second byte, its share of texts, its characters."""

    first: int
    last: int
    second: int
    share: float
    characters: int


def _by_level(text: str, *, encoding: str, frequent: str, share: float, levels: tuple[Level, ...]) -> float:
    """Log probability: the frequent characters have their share of a text, each level shares its own among its own."""
    total = math.log(0.01) * len(re.findall(r"[a-z][^\x00-\x7f]|[^\x00-\x7f][a-z]", text))  # small letters beside
    for char in text:
        if char.isascii():
            continue
        if char in frequent:
            total += math.log(share / len(frequent))
            continue
        lead, *rest = char.encode(encoding, "replace")
        level = next(
            (level for level in levels if level.first <= lead <= level.last and (rest or [0])[0] >= level.second), None
        )
        total += math.log(level.share / level.characters) if level else NEVER
    return total


def _characters(encoding: str, prior: float, frequent: str, share: float, *levels: Level) -> Reading:
    distinct = "".join(dict.fromkeys(frequent))
    model = partial(_by_level, encoding=encoding, frequent=distinct, share=share, levels=levels)
    return Reading(encoding, prior, model, LEAST_OF_CHARACTERS)


# ---- Alphabets


def _by_alphabet(text: str, *, frequent: str, rare: str) -> float:
    """Log probability of words in a script of its own: no letter of ASCII within, no capital within small ones."""
    total = 0.0
    for part in re.findall(r"[^\W\d_]+", text):
        if part.isascii():
            continue
        if not (part.islower() or part.isupper() or part.istitle()):
            total += NEVER
        for char in part:
            small = char.lower()
            own = 0.6 / len(frequent) if small in frequent else 0.35 / len(rare) if small in rare else 0.0
            total += math.log(own) if own else NEVER
        total += math.log(0.1) if part[0].isupper() else 0
    return total + _signs(text)


def _by_letters(text: str, *, letters: str, seldom: str) -> float:
    """Log probability of Latin words: a letter in ten is one of a language's own, few are those it seldom has."""
    total = 0.0
    for part in re.findall(r"[^\W\d_]+", text):
        if part.isascii():
            continue
        if not (part.islower() or part.isupper() or (part[:1].isupper() and part[1:].islower())):
            total += NEVER
        for char in part:
            if not char.isascii():
                total += math.log(0.1 * (0.96 / len(letters) if char.lower() in letters else 1e-4))
        total += math.log(0.2) if not part[0].isascii() and part[0].isupper() else 0
        total += math.log(0.05) * sum(char in seldom for char in part.lower())
        total += math.log(0.05) * len(re.findall(r"[^\x00-\x7f]{3}", part))
    return total + _signs(text)


def _signs(text: str) -> float:
    """Log probability of what is neither letter nor ASCII: quotation marks and the like, never within a word."""
    total = 0.0
    for place, char in enumerate(text):
        if char.isascii() or char.isalpha():
            continue
        within = text[place - 1 : place].isalpha() and text[place + 1 : place + 2].isalpha() and char != "’"
        total += math.log(0.02 / 20) if char in "’‘“”„–—…°«»¿¡№€·" and not within else NEVER
    return total


def _alphabet(encoding: str, prior: float, frequent: str, rare: str) -> Reading:
    return Reading(encoding, prior, partial(_by_alphabet, frequent=frequent, rare=rare), LEAST_OF_LETTERS)


def _letters(encoding: str, prior: float, letters: str, seldom: str = "") -> Reading:
    return Reading(encoding, prior, partial(_by_letters, letters=letters, seldom=seldom), LEAST_OF_LETTERS)


READINGS: tuple[Reading, ...] = (
    _characters(
        "gb18030", 0.0, HANZI, 0.5, Level(0xB0, 0xD7, 0xA1, 0.42, 3755), Level(0xD8, 0xF7, 0xA1, 0.05, 3008),
        Level(0xA1, 0xA3, 0xA1, 0.02, 282),
    ),
    _characters(
        "big5", -1.0, HANZI_OF_TAIWAN, 0.5, Level(0xA4, 0xC6, 0x40, 0.44, 5401), Level(0xC9, 0xF9, 0x40, 0.03, 7652),
        Level(0xA1, 0xA3, 0x40, 0.02, 408),
    ),
    _characters(
        "cp932", -1.0, "".join(map(chr, (*range(0x3041, 0x3094), *range(0x30A1, 0x30F7), 0x30FC))), 0.5,
        Level(0x88, 0x97, 0x40, 0.45, 2965), Level(0x98, 0xEA, 0x40, 0.02, 3390), Level(0x81, 0x82, 0x40, 0.02, 300),
        Level(0xA1, 0xDF, 0x00, 0.003, 63),
    ),
    _characters(
        "cp949", -3.0, SYLLABLES, 0.85, Level(0xB0, 0xC8, 0xA1, 0.13, 2350), Level(0xCA, 0xFD, 0xA1, 0.002, 4888),
        Level(0xA1, 0xAC, 0xA1, 0.01, 900), Level(0x81, 0xC6, 0x41, 0.002, 8822),
    ),
    _letters("cp1252", -1.0, "äöüß"),
    _letters("cp1252", -1.0, "éèêëàâçîïôûùœ", "kw"),
    _letters("cp1252", -1.0, "áéíóúñü", "kw"),
    _letters("cp1252", -1.5, "ãõáâàçéêíóôú", "kwy"),
    _letters("cp1252", -1.5, "åäöæøé", "qwz"),
    _letters("cp1252", -1.5, "àèéìòù", "jkwxy"),
    _letters("cp1252", -3.0, "àáâãäåæçèéêëìíîïñòóôõöøùúûüß"),  # of several languages
    _letters("cp1250", -3.0, "ąćęłńóśźż", "qvx"),
    _letters("cp1250", -3.0, "áčďéěíňóřšťúůýž", "qwx"),
    _letters("cp1250", -4.0, "áéíóöőúüű", "qwx"),
    _letters("cp1254", -2.0, "çğıöşü", "qwx"),
    _letters("mac_roman", -4.0, "äöüßéèêàâçñáíóúôûîåæøãõ"),
    _letters("cp850", -4.0, "äöüßéèêàâçñáíóúôûîåæøãõ"),
    _alphabet("cp1251", -1.0, *CYRILLIC),
    _alphabet("koi8_r", -8.0, *CYRILLIC),
    _alphabet("cp866", -8.0, *CYRILLIC),
    _alphabet("cp1253", -2.0, *GREEK),
)  # fmt: skip
