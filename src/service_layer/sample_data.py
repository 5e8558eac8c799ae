"""People and things that look like those of a real installation, in many scripts; the same ones for the same seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ..domain.items import MAX_QUANTITY, NewItem
from ..domain.users import NewUser, PasswordHash, UserId


@dataclass(frozen=True, slots=True)
class Locale:
    """One language: given names and family names, a mail domain, things, and what is said of them."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    domain: str
    things: tuple[str, ...]
    sentences: tuple[str, ...]
    places: tuple[str, ...]


LOCALES = (
    Locale(
        ("Ada", "Grace", "Alan", "Barbara", "Edsger", "Frances"),
        ("Lovelace", "Hopper", "Turing", "Liskov", "Dijkstra", "Allen"),
        "example.com",
        ("Box", "Lid", "Torque wrench", 'Shelf board 3/4"', "Cable drum", "Desk lamp"),
        ("Stored dry, away from the window.", "Returned once; the seal is new.", "Ask before lending."),
        ("London", "Leeds"),
    ),
    Locale(
        ("José", "María", "Zoë", "Łukasz", "Søren", "Jürgen", "Nguyễn", "Ağca"),
        ("Núñez", "García-Peña", "Çelik", "Wałęsa", "Ångström", "Größe", "Đặng", "Dvořák"),
        "correo.example",
        ("Schraubenschlüssel", "Boîte à outils", "Cajón", "Półka", "Vidaröd lampa", "Çekiç"),
        ("Größe geprüft, Maße ±2 mm.", "À manipuler avec précaution.", "Está en el segundo estante."),
        ("München", "Łódź", "São Paulo"),
    ),
    Locale(
        ("Ελένη", "Γιώργος", "Σοφία", "Οδυσσέας"),
        ("Παππάς", "Νικολάου", "Γεωργίου"),
        "ταχυδρομείο.example",
        ("Κουτί", "Σφυρί", "Λάμπα γραφείου"),
        ("Φυλάσσεται σε ξηρό μέρος.", "Ο ιδιοκτήτης ζητά απόδειξη."),
        ("Αθήνα", "Θεσσαλονίκη"),
    ),
    Locale(
        ("Анна", "Дмитрий", "Ольга", "Їван"),
        ("Кузнецова", "Шевченко", "Ёлкин"),
        "почта.example",
        ("Ящик", "Отвёртка", "Настольная лампа"),
        ("Хранить в сухом месте.", "Проверено при приёмке, замечаний нет."),
        ("Київ", "Казань"),
    ),
    Locale(
        ("فاطمة", "محمد", "ليلى"),
        ("الحسن", "الخوارزمي", "حداد"),
        "بريد.example",
        ("صندوق", "مفتاح ربط", "مصباح مكتب"),
        ("يحفظ في مكان جاف.", "العدد ١٢ قطعة في كل علبة."),
        ("القاهرة", "بيروت"),
    ),
    Locale(
        ("יעל", "נועם", "רחל"),
        ("כהן", "לוי", "מזרחי"),
        "דואר.example",
        ("קופסה", "פטיש", "מנורת שולחן"),
        ("לשמור במקום יבש.", "נבדק ונמצא תקין."),
        ("חיפה", "ירושלים"),
    ),
    Locale(
        ("प्रिया", "अर्जुन", "कृष्ण"),
        ("शर्मा", "सिंह", "रामानुजन्"),
        "डाक.example",
        ("डिब्बा", "हथौड़ा", "मेज़ की बत्ती"),
        ("सूखी जगह में रखें।", "जाँच की गई, सब ठीक है।"),
        ("मुम्बई", "दिल्ली"),
    ),
    Locale(
        ("สมชาย", "กานดา", "ณัฐวุฒิ"),
        ("ใจดี", "ศรีสุข", "ทองคำ"),
        "ไปรษณีย์.example",
        ("กล่อง", "ค้อน", "โคมไฟตั้งโต๊ะ"),
        ("เก็บในที่แห้ง", "ตรวจสอบแล้วเรียบร้อย"),
        ("กรุงเทพฯ", "เชียงใหม่"),
    ),
    Locale(
        ("伟", "芳", "秀英"),
        ("王", "欧阳", "司马"),
        "邮件.example",
        ("纸箱", "扳手", "台灯"),
        ("请存放于干燥处。", "已检验,合格。"),
        ("北京", "成都"),
    ),
    Locale(
        ("さくら", "翔太", "ハルト"),
        ("佐藤", "髙橋", "渡邊"),
        "メール.example",
        ("段ボール箱", "スパナ", "デスクランプ"),
        ("湿気を避けて保管してください。", "検品済み。"),
        ("東京", "大阪"),
    ),
    Locale(
        ("민준", "서연", "지우"),
        ("김", "이", "남궁"),
        "우편.example",
        ("상자", "망치", "책상등"),
        ("건조한 곳에 보관하세요.", "검사 완료, 이상 없음."),
        ("서울", "부산"),
    ),
)

_SEPARATORS = (".", "_", "-")
_MATERIALS = ("oak", "steel", "cardboard", "glass", "PET", "wool")
_TAGS = ("fragile", "spare", "garage", "größer", "赤", "к отправке", "gift", "2026", "🔧", "עתיק")


def sample_user(draw: random.Random, number: int, password_hash: PasswordHash | None) -> NewUser:
    """`number` ends the name and the address, so that two are never alike."""
    locale = draw.choice(LOCALES)
    name = f"{draw.choice(locale.given)}{draw.choice(_SEPARATORS)}{draw.choice(locale.family)}"
    return NewUser.of(
        username=f"{name}{draw.choice(_SEPARATORS)}{number}",
        email=f"{name}.{number}@{locale.domain}",
        password_hash=password_hash,
    )


def sample_item(draw: random.Random, number: int, owner_id: UserId) -> NewItem:
    locale = draw.choice(LOCALES)
    return NewItem.of(
        owner_id=owner_id,
        name=f"{draw.choice(locale.things)} {number}",
        description=_description(draw, locale),
        quantity=_quantity(draw),
        attributes=_attributes(draw, locale),
    )


class Ownership:
    """Who owns an item: a tenth of all belongs to the first owner, the rest to the others by a law like Zipf's.

    Real installations look so: a few hoarders, and many who have next to nothing. An index or a page that is quick
    for the average owner may be slow for the first.
    """

    def __init__(self, owners: Sequence[UserId]) -> None:
        self._first, self._others = owners[0], owners[1:]
        # An exponent below 1, so that among some hundred users or more nobody else owns as much as the first.
        self._weights = list(accumulate(rank**-0.8 for rank in range(1, len(owners))))

    def of(self, draw: random.Random, number: int) -> UserId:
        if number % 10 == 0 or not self._others:
            return self._first
        return draw.choices(self._others, cum_weights=self._weights)[0]


def _description(draw: random.Random, locale: Locale) -> str | None:
    kind = draw.random()
    if kind < 0.3:
        return None
    if kind < 0.35:
        return ""
    lines = draw.choices(locale.sentences, k=1 + int(draw.expovariate(1.0)))
    return ("\n" if kind > 0.9 else " ").join(lines)


def _quantity(draw: random.Random) -> int:
    kind = draw.random()
    if kind < 0.05:
        return 0
    if kind > 0.9999:
        return MAX_QUANTITY
    return 1 + int(draw.lognormvariate(1.5, 1.5))


def _attributes(draw: random.Random, locale: Locale) -> dict[str, Any]:
    kind = draw.random()
    if kind < 0.2:
        return {}
    attributes: dict[str, Any] = {"material": draw.choice(_MATERIALS), "tags": draw.sample(_TAGS, k=draw.randrange(4))}
    if kind > 0.4:
        attributes["size"] = {side: draw.randrange(1, 2_000) / 10 for side in ("width", "height", "depth")}
    if kind > 0.6:
        attributes["bought"] = {
            "price": {"amount": draw.randrange(100, 1_000_000) / 100, "currency": draw.choice(("EUR", "JPY", "KWD"))},
            "shop": {"city": draw.choice(locale.places), "branch": draw.choice((None, draw.randrange(1, 99)))},
            "warranty": draw.random() < 0.5,
        }
    return attributes
