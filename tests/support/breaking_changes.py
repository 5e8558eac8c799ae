"""What would break a client, between two versions of an OpenAPI document.

A client sends what the old one allows, and reads what it promises. So more may be allowed than before, and an answer
may hold more members, but nothing that was allowed, promised or named may go, and nothing new may be demanded. A
success of another status, or another value of an enumeration, breaks whoever takes the list for complete. Another
problem does not: clients go by the status of one that they do not know.
"""

from collections.abc import Iterator
from typing import Any

from .openapi import PROBLEM, Document, Json

_LEAST, _MOST = ("minimum", "minLength", "minItems"), ("maximum", "maxLength", "maxItems")


def breaking_changes(old: Json, new: Json) -> list[str]:
    """Each in one line that begins with the operation; empty if a client of `old` can go on with `new`."""
    return sorted(set(_Comparison(Document(old), Document(new)).of_operations()))


class _Comparison:
    def __init__(self, old: Document, new: Document) -> None:
        self._old = old
        self._new = new
        self._inside: list[tuple[str, ...]] = []  # references that are being compared: schemas may be circular

    def of_operations(self) -> Iterator[str]:
        kept = {(method, path): operation for method, path, operation in self._new.operations()}
        for method, path, old in self._old.operations():
            at = f"{method} {path}"
            if (method, path) not in kept:
                yield f"{at}: is gone"
                continue
            new = kept[method, path]
            if old["operationId"] != new["operationId"]:
                yield f"{at}: is no longer called {old['operationId']}"
            yield from _of_security(old, new, at)
            yield from self._of_parameters(old, new, at)
            yield from self._of_bodies(old.get("requestBody"), new.get("requestBody"), at)
            yield from self._of_answers(old["responses"], new["responses"], at)

    def _of_parameters(self, old: Json, new: Json, at: str) -> Iterator[str]:
        before, after = ({(each["in"], each["name"]): each for each in side["parameters"]} for side in (old, new))
        for key, parameter in before.items():
            where = f"{at}: {key[0]} parameter {key[1]}"
            if key not in after:
                yield f"{where}: is gone"
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield f"{where}: has become required"
            yield from self._of_schemas(parameter["schema"], after[key]["schema"], where, sent=True)
        for key in after.keys() - before.keys():
            if after[key].get("required"):
                yield f"{at}: {key[0]} parameter {key[1]}: is new and required"

    def _of_bodies(self, old: Json | None, new: Json | None, at: str) -> Iterator[str]:
        if old is None:
            if new is not None and new.get("required"):
                yield f"{at}: a body has become required"
            return
        if new is None:
            yield f"{at}: takes no body any more"
            return
        if new.get("required") and not old.get("required"):
            yield f"{at}: a body has become required"
        for kind, media_type in old["content"].items():
            if kind not in new["content"]:
                yield f"{at}: does not take {kind} any more"
            else:
                after = new["content"][kind]
                yield from self._of_schemas(media_type.get("schema", {}), after.get("schema", {}), at, sent=True)

    def _of_answers(self, old: Json, new: Json, at: str) -> Iterator[str]:
        for status, response in old.items():
            where = f"{at}: {status}"
            if status not in new:
                yield f"{where}: is gone"
                continue
            after = new[status]
            for name in response.get("headers", {}).keys() - after.get("headers", {}).keys():
                yield f"{where}: has no header {name} any more"
            for kind, media_type in response.get("content", {}).items():
                if kind not in after.get("content", {}):
                    yield f"{where}: is not given as {kind} any more"
                elif kind == PROBLEM:
                    codes = {*self._old.codes_of(response)} - {*self._new.codes_of(after)}
                    yield from (f"{where}: has no {code} any more" for code in codes)
                else:
                    schema = after["content"][kind].get("schema", {})
                    yield from self._of_schemas(media_type.get("schema", {}), schema, where, sent=False)
        for status in new.keys() - old.keys():
            if not status.startswith(("4", "5")) and status != "304":  # which comes to those alone who ask for it
                yield f"{at}: {status}: is new"

    def _of_schemas(self, old: Json, new: Json, at: str, *, sent: bool) -> list[str]:
        """`sent` by the client, else read by it."""
        references = (old.get("$ref", ""), new.get("$ref", ""))
        if all(references):
            if references in self._inside:
                return []
            self._inside.append(references)
        old, new = self._old.whole(old), self._new.whole(new)
        found = [
            *_of_types(old, new, at, sent=sent),
            *_of_values(old, new, at, sent=sent),
            *_of_limits(old, new, at, sent=sent),
            *self._of_members(old, new, at, sent=sent),
            *self._of_alternatives(old, new, at, sent=sent),
        ]
        if "items" in old and "items" in new:
            found += self._of_schemas(old["items"], new["items"], f"{at}/*", sent=sent)
        if all(references):
            self._inside.remove(references)
        return found

    def _of_members(self, old: Json, new: Json, at: str, *, sent: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        must_before, must_after = set(old.get("required", ())), set(new.get("required", ()))
        for name in before.keys() - after.keys():
            yield f"{at}/{name}: is gone"
        for name in before.keys() & after.keys():
            yield from self._of_schemas(before[name], after[name], f"{at}/{name}", sent=sent)
        if sent:
            yield from (f"{at}/{name}: has become required" for name in must_after - must_before)
        else:
            yield from (f"{at}/{name}: may be absent now" for name in (must_before - must_after) & after.keys())
        if sent and new.get("additionalProperties") is False and old.get("additionalProperties", True) is not False:
            yield f"{at}: takes no other members any more"

    def _of_alternatives(self, old: Json, new: Json, at: str, *, sent: bool) -> Iterator[str]:
        """Each that a client may send has to be taken as before, and each that it may get has to be one it knows."""
        before, after = _alternatives(old), _alternatives(new)
        if before == [old] and after == [new]:
            return
        narrower, wider = (after, before) if sent else (before, after)
        for each in wider:
            pairs = ((each, other) if sent else (other, each) for other in narrower)
            if all(self._of_schemas(*pair, at, sent=sent) for pair in pairs):
                yield f"{at}: {'takes' if sent else 'may be'} {_named(each)} {'no more' if sent else 'now'}"


def _alternatives(schema: Json) -> list[Json]:
    found: list[Json] = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return found


def _named(schema: Json) -> str:
    return str(schema.get("$ref", schema.get("type", schema))).rpartition("/")[2]


def _of_security(old: Json, new: Json, at: str) -> Iterator[str]:
    """A list of alternatives; none, or an empty one, is for everybody."""
    before, after = old.get("security") or [{}], new.get("security") or [{}]
    for each in before:
        if not any(other.keys() <= each.keys() for other in after):
            yield f"{at}: asks for more than {' and '.join(each) or 'nobody'}"


def _of_types(old: Json, new: Json, at: str, *, sent: bool) -> Iterator[str]:
    before, after = _types(old), _types(new)
    narrower, wider = (after, before) if sent else (before, after)
    if narrower is not None and (wider is None or not wider <= narrower):
        yield f"{at}: is {_listed(after)} instead of {_listed(before)}"
    elif old.get("format") != new.get("format") and (new if sent else old).get("format") is not None:
        yield f"{at}: has the format {new.get('format')} instead of {old.get('format')}"


def _types(schema: Json) -> set[str] | None:
    """None for any. An integer is a number."""
    if "type" not in schema:
        return None
    types = {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])
    return types | {"integer"} if "number" in types else types


def _listed(values: set[Any] | None) -> str:
    return "anything" if values is None else " or ".join(sorted(map(str, values)))


def _of_values(old: Json, new: Json, at: str, *, sent: bool) -> Iterator[str]:
    before, after = _values(old), _values(new)
    narrower, wider = (after, before) if sent else (before, after)
    if narrower is None:
        return
    if wider is None:
        yield f"{at}: is {'only' if sent else 'no longer only'} {_listed(narrower)}"
    else:
        for value in wider - narrower:
            yield f"{at}: {'takes' if sent else 'may be'} {value} {'no more' if sent else 'now'}"


def _values(schema: Json) -> set[Any] | None:
    if "const" in schema:
        return {schema["const"]}
    return set(schema["enum"]) if "enum" in schema else None


def _of_limits(old: Json, new: Json, at: str, *, sent: bool) -> Iterator[str]:
    narrower, wider = (new, old) if sent else (old, new)
    for keyword in (*_LEAST, *_MOST):
        if keyword not in narrower:
            continue
        is_least = keyword in _LEAST
        beyond = keyword not in wider or (
            wider[keyword] < narrower[keyword] if is_least else wider[keyword] > narrower[keyword]
        )
        if beyond:
            yield f"{at}: {keyword} is {new.get(keyword)} instead of {old.get(keyword)}"
    if sent and "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{at}: has another pattern"
    if sent and new.get("default") != old.get("default"):
        yield f"{at}: is {new.get('default')} by default instead of {old.get('default')}"
