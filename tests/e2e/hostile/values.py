"""What somebody might send who means harm, or whose program is broken."""

import json
from urllib.parse import quote

_LONG = "x" * 10_000
TEXTS = (
    "",
    " ",
    *map(chr, range(0x20)),  # C0, with NUL, tab, and the line breaks
    "\x7f",
    "\x85\u2028\u2029",  # line breaks to some
    "\ud800",
    "\udfff",
    "\udc00\ud800",
    "\ufdd0user",  # a noncharacter; we use it as a mark of our own
    "\uffff",
    "\U0010ffff",
    "\u202egpj.exe",  # shown backwards
    "\u2066\u2069\u200b\ufeff",
    "a" + "\u0301" * 1000,
    "\ufdfa" * 200,  # eighteen characters each in NFKC
    "\u0130\u0131\u017f\u212a",  # casefold to ASCII, or nearly
    "\u0661\u0662\u0663",  # digits, not of ASCII
    "\uff11",
    "1_0",
    "+1",
    " 1",
    "1 ",
    "-0",
    "00",
    "01",
    "0x10",
    "1.0",
    "1e3",
    "1e400",
    "NaN",
    "Infinity",
    "null",
    "true",
    "undefined",
    "[]",
    "{}",
    str(2**31),
    str(2**63 - 1),
    str(2**63),
    str(-(2**63)),
    str(-(2**63) - 1),
    "9" * 5000,
    "' OR '1'='1",
    "'; DROP TABLE users; --",
    '"; DELETE/**/FROM items WHERE ""="',
    "1 UNION ALL TABLE users",
    "%' ESCAPE '",
    "%_\\%",
    ":name $1 ? %(name)s %s {0} {name!r}",
    "$(touch x) `id` ; id | id && id",
    "{{7*7}} ${7*7} <%= 7*7 %> #{7*7} {% debug %}",
    "<script>alert(1)</script><!--",
    "]]><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>",
    "a\r\nSet-Cookie: a=b\r\n\r\n<html>",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "file:///etc/passwd",
    "http://169.254.169.254/",
    "//example.org/",
    "__proto__",
    "constructor.prototype",
    "__class__.__init__.__globals__",
    "=cmd|' /C calc'!A0",
    "me",
    "@",
    "a@b@c",
    "~0~1/~",
    "\x1b[2J\x1b]0;title\x07",
    "𝒶𝒹𝒶",
    "👩‍👩‍👧‍👦",
    _LONG,
    "é" * 10_000,
)
HUGE_TEXT = "x" * 1_000_000

# As they stand in a document: some are not JSON.
JSON_VALUES = (
    *("null", "true", "false", "0", "-0", "1", "-1", "1.0", "1.5", "1e2", "1E-400", "1e400", "-1e400"),
    *("NaN", "Infinity", "-Infinity", "undefined", "'x'", "01", "+1", "0x10", "1_000", ".5", "1.", "", "/**/1"),
    *(str(number + step) for number in (2**31, 2**53, 2**63, -(2**31), -(2**53), -(2**63)) for step in (-1, 0, 1)),
    "9" * 4000,
    "9" * 5000,
    "0." + "1" * 5000,
    *("[]", "{}", "[[]]", "[{}]", "[null]", '{"":null}', '{"a":1,"a":2}', '{"a":{"b":1,"b":1}}'),
    *('{"$gt":""}', '{"__proto__":{"role":"admin"}}', '{"\\u0000":1}', '{"\\ud800":1}', '{"user_id":1,"item_id":1}'),
    *('{"user_id":true}', '{"item_id":1.0}', '{"item_id":null}', '{"~/":{"~1":"\\ud800"}}', '{"a":{"b":[1e400]}}'),
    '["\\udfff"]',
    *('"\\x41"', '"\\u12"', '"tab\there"', '"line\nbreak"', '"unended', '"\\ud83d\\ude00"', '"\\ud83d"'),
    *("[" * depth + "]" * depth for depth in (8, 9, 64, 100)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (8, 9, 64, 100)),
    "[" * 50_000,
    "[" * 20_000 + "]" * 20_000,
    '{"a":' * 20_000,
    "[" + "0," * 49_000 + "0]",
    "[" + "{}," * 60_000 + "0]",
    "{" + ",".join(f'"k{number}":0' for number in range(4_000)) + "}",
    "{" + ",".join(f'"k{number}":0' for number in range(6_000)) + "}",
    *map(json.dumps, TEXTS),  # what is not ASCII escaped
    json.dumps(HUGE_TEXT),
)

# Those that have broken most servers are tried in every place, however short the run.
JSON_CLASSICS = {
    *("null", "[]", "{}", "true", "1.5", "NaN", "1e400", str(2**63), str(-(2**63) - 1), '"\\u0000"', '"\\ud800"', '""'),
    *('"unended', '{"a":1,"a":2}', "[" * 20_000 + "]" * 20_000),
}
URL_CLASSICS = {"", "%", "%00", "%ff", "%ed%a0%80", "%2e%2e%2f", "%0d%0aSet-Cookie:%20a=b", str(2**63), "-1", "%D9%A1"}

# Percent-encoded.
URL_TEXTS = (
    *("%", "%0", "%zz", "%u0041", "%25", "%2500", "%00", "1%00", "%0d%0aSet-Cookie:%20a=b", "%0a", "1%0a", "%20", "+"),
    *("%ff", "%c0%af", "%c0%80", "%e0%80%af", "%f8%80%80%80%af", "%ed%a0%80", "%ed%a0%bd%ed%b8%80", "%f4%90%80%80"),
    *("..", ".", "../..", "%2e%2e", "%2e%2e%2f", "..%2f..%2fetc%2fpasswd", "..%5c", "%252e%252e%252f", "1/..", "1;a=b"),
    *("%2f", "%2F%2f", "1%2f2", "a%26b=c", "a=b", "1%3f", "%23", "%5b%5d", "*", "%D9%A1", "%EF%BC%91"),
    *(quote(text, safe="", errors="surrogatepass") for text in TEXTS if len(text) < 10_000),
    "9" * 20_000,
)

AUTHORIZATIONS = (
    *(b"", b" ", b"Bearer", b"Bearer ", b"bearer  ", b"Basic YWRtaW46YWRtaW4=", b"Bearer null", b"Bearer undefined"),
    *(
        b"Bearer a b",
        b"Bearer a,b",
        b"Bearer \x00",
        b"Bearer \xff\xfe",
        b"Bearer \r\nX-A: b",
        b"Bearer " + b"x" * 60_000,
    ),
    *(b"Digest username=admin", b"Negotiate =", b"Token x", b"Bearer\tx", b"\xf0\x9f\x98\x80 x", b"Bearer ' OR 1=1 --"),
    *(b"Bearer " + token for token in (b"stwa_", b"stwr_", b"stwa_" + b"A" * 43, b"stwa_" + b"A" * 49)),
    *(b"Bearer stwa_" + b"A" * 43 + tail for tail in (b"AAAAAA", b"\xff" * 6, b"AAAAAA ", b"\x00" * 6)),
    b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
    b"Bearer stwr_" + b"A" * 49,
)

HEADER_VALUES = (
    *(b"", b" ", b"\x00", b"\xff\xfe", b"\r\nX-A: b", b"x" * 60_000, b"*", b'"', b'W/"', b'"1-1", "', b"a=b; c", b"-1"),
    *(
        b"9" * 5000,
        b"NaN",
        b"; charset=",
        b'"; charset="',
        b"a/b",
        b"http://[",
        b"//",
        b"\xc3\xa9",
        b"{{7*7}}",
        b"bytes=0-",
    ),
)
# Those that servers like to trip over; the ones that the document names are added to them.
HEADERS = (
    *(
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "Cache-Control",
        "Connection",
        "Cookie",
        "Date",
        "Expect",
        "Forwarded",
    ),
    *("From", "Host", "Idempotency-Key", "If-Match", "If-Modified-Since", "If-None-Match", "Origin", "Prefer", "Range"),
    *(
        "Referer",
        "Transfer-Encoding",
        "Upgrade",
        "User-Agent",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-HTTP-Method-Override",
    ),
    *("X-Request-ID", "traceparent"),
)

CONTENT_TYPES = (
    *(
        b"",
        b"text/plain",
        b"application/xml",
        b"multipart/form-data",
        b"multipart/form-data; boundary=x",
        b"*/*",
        b"json",
    ),
    *(
        b"application/json-patch+json",
        b"application/json; charset=utf-16",
        b"application/json; charset=\xff",
        b"\x00",
        b"/",
    ),
    *(b"application/json, text/plain", b"application/x-yaml", b"x" * 10_000, b"application/jsonx", b"text/json"),
)

# In the place of a whole JSON document or a form; `%s` is a good one.
BODIES = (
    *(
        b"",
        b"{",
        b"}",
        b"{}",
        b"[]",
        b"null",
        b"true",
        b"0",
        b'""',
        b"\x00",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\x1f\x8b\x08",
    ),
    *(
        b"\xef\xbb\xbf%s",
        b"%s%s",
        b"%s,",
        b"%s\x00",
        b"%s}",
        b"[%s]",
        b'"%s',
        b"/**/%s",
        b"&",
        b"=",
        b"&=&=",
        b"a=b",
        b"%%",
    ),
    *(b"\xff\xfe%s", b"<?xml version='1.0'?><a/>", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--"),
    b"[" * 100_000,
    b"&".join(b"a%d=b" % number for number in range(1000)),
    b"[" + b"0," * 200_000 + b"0]",
    b'"' * 200_001,
    b" " * 2_000_000,
    b'{"a":' * 100_000,
)
