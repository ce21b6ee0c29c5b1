"""Names for the drift world: genres, titles and makers in English and Japanese.

Every genre has words of its own and no word belongs to two genres, so a title says which genre its
item is of. Both languages have equally many words, so the language changes names and nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

# A genre and its adjectives, then its nouns. The last genre arrives with the burst of new items.
ENGLISH = """
Mystery: Silent Hidden Vanished Locked Secret Missing Forgotten Sealed
    Harbour Key Letter Witness Alibi Cipher Clue Detective
Romance: Tender Promised Yearning Beloved Shy Blushing Faithful Lovesick
    Kiss Wedding Heart Bouquet Embrace Sweetheart Ring Vow
Space: Orbital Stellar Weightless Lunar Galactic Cosmic Faraway Starlit
    Comet Rocket Planet Station Nebula Astronaut Asteroid Spaceship
Cooking: Spicy Crispy Savoury Homemade Steaming Buttery Roasted Hungry
    Kitchen Soup Recipe Bakery Feast Noodle Chef Lunchbox
Sport: Winning Unbeaten Sprinting Muddy Tireless Decisive Sweating Record
    Goal Champion Race Team Marathon Coach Stadium Rival
History: Ancient Royal Imperial Fallen Medieval Noble Conquered Thousand-Year
    Castle Empire Throne Treaty Dynasty Crown Siege Sword
Nature: Wild Green Misty Untamed Mossy Sunlit Thawing Nameless
    Forest River Mountain Owl Meadow Island Whale Garden
Comedy: Clumsy Silly Ridiculous Grumpy Absurd Cheeky Carefree Bumbling
    Neighbour Prank Uncle Disguise Clown Lodger Misunderstanding Parrot
Music: Melodic Electric Acoustic Humming Improvised Swinging Resounding Singing
    Song Guitar Orchestra Piano Choir Drummer Encore Violin
Horror: Haunted Cursed Bloody Screaming Midnight Eerie Possessed Ghastly
    Ghost Grave Doll Mansion Shadow Nightmare Scarecrow Ruin
Robots: Mechanical Rusty Automatic Clockwork Steel Rebuilt Artificial Mass-Produced
    Robot Invention Circuit Android Battery Inventor Drone Engine
"""
JAPANESE = """
ミステリー: 静かな 隠された 消えた 閉ざされた 秘密の 失われた 忘れられた 封じられた
    港 鍵 手紙 証人 アリバイ 暗号 足跡 探偵
恋愛: 甘い 約束の 切ない 愛しい 内気な 初めての 変わらぬ 恋する
    口づけ 花嫁 恋心 花束 抱擁 初恋 指輪 恋文
宇宙: 軌道上の 銀河の 無重力の 月面の 星空の 光速の 遥かな 果てしない
    彗星 ロケット 惑星 宇宙基地 星雲 飛行士 小惑星 宇宙船
料理: 辛い 香ばしい 美味しい 手作りの 熱々の 山盛りの 焼きたての 腹ぺこの
    台所 味噌汁 レシピ パン屋 ご馳走 うどん 料理人 弁当
スポーツ: 逆転の 無敗の 俊足の 泥だらけの 不屈の 全力の 汗まみれの 熱血の
    ゴール 王者 競走 チーム マラソン 監督 球場 好敵手
歴史: 古の 王家の 戦国の 滅びた 幕末の 気高き 征服された 千年の
    城 帝国 玉座 条約 将軍 王冠 合戦 刀
自然: 野生の 緑の 霧の 手つかずの 苔むす 木漏れ日の 雪解けの 名もなき
    森 川 山 ふくろう 草原 島 鯨 庭
コメディ: そそっかしい おかしな へんてこな 不機嫌な とぼけた 生意気な 呑気な 騒がしい
    隣人 いたずら 叔父さん 変装 道化師 居候 勘違い 九官鳥
音楽: 奏でる 電子の 生演奏の 口ずさむ 即興の 弾む 響く 歌う
    歌 ギター 楽団 ピアノ 合唱 太鼓 アンコール バイオリン
ホラー: 呪われた 取り憑かれた 血塗られた 叫ぶ 真夜中の 不気味な 恐ろしい 青ざめた
    幽霊 墓 人形 洋館 影 悪夢 案山子 廃墟
ロボット: 機械の 錆びた 自動の ぜんまいの 鋼鉄の 改造された 人工の 量産型の
    ロボット 発明 回路 人造人間 電池 発明家 無人機 エンジン
"""
MAKERS = {
    "en": ("North Blue Maple Stone River Amber Cloud Harvest", "{} Press,{} Pictures,{} Works"),
    "ja": ("北風 青葉 楓 石橋 川辺 琥珀 白雲 実り", "{}書房,{}映像,{}工房"),
}
SHAPES = {"en": ("The {a} {n}", "My {a} {n}", "{a} {n}"), "ja": ("{a}{n}", "私の{a}{n}", "{a}{n}の話")}


@dataclass(frozen=True)
class TitleWords:
    """Per item: numbers of a title's shape, of an adjective and of a noun among those of a genre."""

    shape: np.ndarray
    adjective: np.ndarray
    noun: np.ndarray


@dataclass(frozen=True)
class Words:
    """The vocabulary of one language; position = genre in the first three."""

    genres: tuple[str, ...]
    adjectives: tuple[tuple[str, ...], ...]
    nouns: tuple[tuple[str, ...], ...]
    makers: tuple[str, ...]
    shapes: tuple[str, ...]

    def genre_text(self, first: np.ndarray, second: np.ndarray) -> list[str]:
        """The genres of each item as text, "Music, Horror" or "Music" where both are the same."""
        pairs = zip(first.tolist(), second.tolist(), strict=True)
        return [", ".join(dict.fromkeys((self.genres[a], self.genres[b]))) for a, b in pairs]

    def draw(self, n: int, rng: np.random.Generator) -> TitleWords:
        """Which words the titles of `n` items are made of."""
        return TitleWords(
            shape=rng.integers(len(self.shapes), size=n),
            adjective=rng.integers(len(self.adjectives[0]), size=n),
            noun=rng.integers(len(self.nouns[0]), size=n),
        )

    def titles(self, first: np.ndarray, second: np.ndarray, words: TitleWords) -> list[str]:
        """One title per item, none twice: noun of the first genre, adjective of the second.

        A title that was given before gets a number, as sequels do: "The Silent Harbour 2".
        """
        titles: list[str] = []
        seen: Counter[str] = Counter()
        columns = (words.shape, words.adjective, words.noun, first, second)
        for s, a, n_, g, h in zip(*(column.tolist() for column in columns), strict=True):
            title = self.shapes[s].format(a=self.adjectives[h][a], n=self.nouns[g][n_])
            seen[title] += 1
            titles.append(title if seen[title] == 1 else f"{title} {seen[title]}")
        return titles


def _words(language: str, table: str) -> Words:
    lines = table.strip().splitlines()
    heads = [line.split(": ") for line in lines[::2]]
    names, shapes = MAKERS[language]
    return Words(
        genres=tuple(genre for genre, _ in heads),
        adjectives=tuple(tuple(text.split()) for _, text in heads),
        nouns=tuple(tuple(text.split()) for text in lines[1::2]),
        makers=tuple(shape.format(name) for shape in shapes.split(",") for name in names.split()),
        shapes=SHAPES[language],
    )


LANGUAGES = {"en": _words("en", ENGLISH), "ja": _words("ja", JAPANESE)}
