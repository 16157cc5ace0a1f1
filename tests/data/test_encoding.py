"""Texts that say nothing of their encoding: what is guessed of short class names, and what is refused."""

from __future__ import annotations

import random

import pytest

from pictaxa.data.encoding import decode_text, guess_encoding
from pictaxa.errors import DataError

# Class names as people have them, by language; what a spreadsheet of that country saves them in.
WORDS = {
    "Chinese": (
        "gb18030",
        "猫 狗 鸟 马 羊 牛 鱼 鸡 兔子 老虎 狮子 大象 熊猫 猴子 蛇 青蛙 蝴蝶 蜜蜂 玫瑰 菊花 郁金香 向日葵 蒲公英 "
        "荷花 牡丹 苹果 香蕉 橙子 葡萄 西瓜 草莓 桃子 白菜 萝卜 土豆 西红柿 合格 不合格 划痕 裂纹 凹坑 污渍 正常 "
        "异常 良性 恶性 健康 锈病 叶斑病 白粉病 飞机 汽车 轮船 卡车 自行车 红灯 绿灯 停车 限速 可回收物 有害垃圾 "
        "厨余垃圾 米饭 面条 饺子 晴天 多云 下雨 森林 河流 高速公路",
    ),
    "Chinese of Taiwan": (
        "big5",
        "貓 狗 鳥 馬 羊 牛 魚 雞 兔子 老虎 獅子 大象 熊貓 猴子 蛇 青蛙 蝴蝶 蜜蜂 玫瑰 菊花 鬱金香 向日葵 蒲公英 "
        "荷花 牡丹 蘋果 香蕉 橙子 葡萄 西瓜 草莓 桃子 白菜 蘿蔔 馬鈴薯 番茄 合格 不合格 劃痕 裂紋 凹坑 污漬 正常 "
        "異常 良性 惡性 健康 鏽病 葉斑病 飛機 汽車 輪船 卡車 公車 紅燈 綠燈 停車 限速 有害垃圾 廚餘 米飯 麵條 "
        "餃子 晴天 多雲 下雨 森林 河流 高速公路 捷運 珍珠奶茶 鳳梨 芒果",
    ),
    "Japanese": (
        "cp932",
        "ネコ イヌ 猫 犬 鳥 馬 牛 羊 豚 魚 ウサギ トラ ライオン ゾウ パンダ サル ヘビ カエル 蝶 バラ 菊 "
        "チューリップ ひまわり たんぽぽ 桜 梅 りんご バナナ みかん ぶどう すいか いちご もも レモン キャベツ 大根 "
        "じゃがいも トマト きゅうり 良品 不良品 傷 汚れ 割れ 欠け 正常 異常 良性 悪性 健康 さび病 飛行機 自動車 "
        "船 トラック 自転車 バス 赤信号 止まれ 燃えるごみ 寿司 ラーメン 天ぷら 晴れ",
    ),
    "Korean": (
        "cp949",
        "고양이 개 새 말 소 양 돼지 물고기 닭 토끼 호랑이 사자 코끼리 판다 원숭이 뱀 개구리 나비 꿀벌 장미 국화 "
        "튤립 해바라기 민들레 벚꽃 사과 바나나 오렌지 포도 수박 딸기 복숭아 레몬 배추 감자 토마토 오이 양품 불량 "
        "스크래치 균열 찍힘 오염 정상 이상 양성 악성 건강 녹병 비행기 자동차 배 트럭 자전거 오토바이 버스 빨간불 "
        "초록불 정지 재활용 음식물 김치 비빔밥 라면 맑음 흐림 안개 숲 강",
    ),
    "German": (
        "cp1252",
        "Päonie Gänseblümchen Löwenzahn Kätzchen Hündin Vögel Kühe Füchse Eichhörnchen Bär Löwe Käfer Äpfel "
        "Kürbis Möhre Gemüse Nüsse Brötchen Würstchen Käse Schüssel Löffel Tür Stühle schön hässlich Übergang Öl "
        "Straße Fußgänger Weiß Größe Grün Brüche Lücke Rückstand Oberfläche beschädigt Häuser Wälder Flüsse "
        "Gebäude Müll Störung Prüfung gültig Mütze Männer fröhlich wütend überrascht Möwe Kröte Drüse gutartig "
        "bösartig Lärche Weißdorn Schlüsselblume Veilchen Kratzer",
    ),
    "French": (
        "cp1252",
        "café thé éléphant lézard fenêtre forêt rivière théière crème pâte gâteau pêche mûre châtaigne pâquerette "
        "pensée hêtre chêne érable frêne défaut fêlé cassé tâche usé déchiré mélangé bénin santé blé maïs "
        "véhicule vélo métro piéton bâtiment église école hôpital île océan été étoile garçon étonné colère "
        "dégoût naïf façade hérisson écureuil chèvre âne bœuf œuf",
    ),
    "Spanish": (
        "cp1252",
        "niño piña araña montaña caña señal león tiburón ratón avión camión autobús árbol césped pájaro águila "
        "búho cigüeña murciélago dálmata café té azúcar limón melón plátano maíz dañado rayón óxido corrosión "
        "tráfico peatón semáforo alegría corazón pulmón tórax neumonía cáncer habitación salón baño jardín océano "
        "río cúpula órgano otoño español pingüino",
    ),
    "Russian": (
        "cp1251",
        "кошка собака птица лошадь корова овца свинья рыба заяц тигр лев слон медведь обезьяна змея лягушка "
        "бабочка пчела роза ромашка тюльпан подсолнух одуванчик яблоко груша банан виноград арбуз клубника лимон "
        "капуста картофель помидор огурец годный брак царапина трещина вмятина пятно норма патология здоровый "
        "больной самолёт автомобиль лес река дорога ДЕФЕКТ",
    ),
}  # fmt: skip
SETS = 120  # tables of each language


def tables_of(language: str) -> list[tuple[str, bytes]]:
    """(text, bytes) of tables with two to ten classes, whose files are numbered, or lie in folders of the classes."""
    encoding, words = WORDS[language]
    names, draw, made = sorted(words.split()), random.Random(language), []
    while len(made) < SETS:
        classes = draw.sample(names, draw.choice([2, 2, 2, 3, 3, 4, 6, 10]))
        inside = draw.random() < 0.3
        rows = [f"{name}/{n}.jpg,{name}" if inside else f"img_{n:04}.jpg,{name}" for n, name in enumerate(classes * 2)]
        text = "path,label\r\n" + "\r\n".join(rows) + "\r\n"
        if not text.isascii():
            made.append((text, text.encode(encoding)))
    return made


@pytest.mark.parametrize("language", WORDS)
def test_short_tables_are_read_as_they_were_written(language: str):
    """Of 120 tables of two to ten class names at least 97% come back letter for letter; none raises an error."""
    right = sum(decode_text(data, name="a.csv")[0] == text for text, data in tables_of(language))
    assert right >= 0.97 * SETS, f"{right} of {SETS}"


def test_a_single_word():
    """Two words, as in the smallest data set, in each of the encodings."""
    for text, encoding in (
        ("猫,狗", "gb18030"), ("貓,狗", "big5"), ("ネコ,イヌ", "cp932"), ("고양이,개", "cp949"), ("café,thé", "cp1252"),
        ("кошка,собака", "cp1251"), ("Größe,Weiß", "cp1252"), ("łódź,żaba", "cp1250"), ("γάτα,σκύλος", "cp1253"),
        ("köpek,kuş,ağaç", "cp1254"),
    ):  # fmt: skip
        assert guess_encoding(text.encode(encoding)) == encoding, text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_unicode_is_known_for_sure(encoding: str):
    """With a mark or without, and the mark is no letter of the text; only UTF-8 is said of none."""
    text = "path,label\na.jpg,猫\nb.jpg,Päonie\n"
    read, note = decode_text(text.encode(encoding), name="a.csv")
    assert read == text and (not note if encoding.startswith("utf-8") else encoding in note)


def test_what_was_guessed_is_said_and_can_be_said_otherwise():
    """The note names the encoding and the flag; what is asked for is taken, or refused with the line."""
    data = "path,label\na.jpg,Päonie\n".encode("cp1252")
    assert decode_text(data, name="a.csv") == (
        "path,label\na.jpg,Päonie\n",
        "a.csv is read as cp1252 (use --encoding for another)",
    )
    assert decode_text(data, name="a.csv", asked="cp437") == ("path,label\na.jpg,PΣonie\n", "")
    with pytest.raises(DataError, match=r"utf-8; found bytes e4 6f 6e 69 in line 2"):
        decode_text(data, name="a.csv", asked="utf-8")


@pytest.mark.parametrize(
    "data",
    [
        "Päonie,玫瑰,猫,狗\n".encode()
        + b"\xff\n",  # UTF-8 with a wrong byte: another encoding would change all the others
        b"path,label\ncat\xff\xff/0.jpg,cat\n",  # no letters of any language
        b"path,label\na\0\0.jpg,cat\n",
    ],
)
def test_damaged_text_is_no_other_encoding(data: bytes):
    """It is refused, with the flag to say what it is."""
    with pytest.raises(DataError, match="--encoding"):
        decode_text(data, name="a.csv")
