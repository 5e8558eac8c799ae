"""The one table that gives each error its HTTP status and its explanation.

The answers, the OpenAPI document and the pages under `/problems/` are made from it.
"""

from dataclasses import dataclass
from http import HTTPStatus

TOKEN_PATH = "/auth/token"  # noqa: S105 - where a problem has the members of RFC 6749, too


@dataclass(frozen=True, slots=True)
class ProblemType:
    """`code` is stable; `advice` tells a person what to do. `retry_after` is in seconds."""

    code: str
    status: int
    title: str
    advice: str
    retry_after: int | None = None

    @property
    def slug(self) -> str:
        return self.code.replace("_", "-")

    @property
    def uri(self) -> str:
        """That of RFC 9457 section 4.2.1 where the status says all there is to say."""
        return f"/problems/{self.slug}" if self.code in PROBLEM_TYPES else "about:blank"

    @property
    def says_nothing_stored(self) -> bool:
        """Return True if a client relies on it: such a problem is for requests that have committed nothing."""
        return self.code == "conflict" or (self.status >= 500 and self.code not in _STORED_PERHAPS)


_STORED_PERHAPS = ("failed_after_commit", "outcome_unknown")
_TYPES = (
    ProblemType("bad_request", 400, "Bad request", "Send HTTP/1.1 (RFC 9112)."),
    ProblemType(
        "unknown_host", 400, "Unknown host", "Use a name of the server. The operator lists them: STEWARD_ALLOWED_HOSTS."
    ),
    ProblemType("malformed_json", 400, "Malformed JSON", "Send a body that is one JSON document in UTF-8 (RFC 8259)."),
    ProblemType("invalid_cursor", 400, "Invalid cursor", "Follow `next_cursor` or `Link`; else begin again."),
    ProblemType(
        "malformed_idempotency_key",
        400,
        "Malformed idempotency key",
        "Send one key of 1 to 255 visible ASCII characters, such as a UUID.",
    ),
    ProblemType(
        "malformed_form", 400, "Malformed form", "Send `application/x-www-form-urlencoded` in UTF-8, of a few fields."
    ),
    ProblemType(
        "invalid_credentials",
        400,
        "Invalid credentials",
        "Check name and password; if it was a refresh, sign in again.",
    ),
    ProblemType(
        "unsupported_grant_type", 400, "Unsupported grant type", "Send `grant_type=password` or `refresh_token`."
    ),
    ProblemType(
        "not_authenticated", 401, "Not authenticated", "Sign in at `/auth/token`, and send `Authorization: Bearer …`."
    ),
    ProblemType("token_expired", 401, "Token expired", "Exchange the refresh token at `/auth/token`."),
    ProblemType("token_revoked", 401, "Token revoked", "Sign in again."),
    ProblemType("registration_closed", 403, "Registration closed", "Ask an admin to add you."),
    ProblemType("forbidden", 403, "Forbidden", "Ask someone who may do this."),
    ProblemType(
        "cors_refused", 403, "Refused by CORS", "The operator lists the origins that may ask: STEWARD_CORS_ORIGINS."
    ),
    ProblemType(
        "user_not_found",
        404,
        "User not found",
        "Check the id. What is not yours to see is not found either.",
    ),
    ProblemType(
        "item_not_found",
        404,
        "Item not found",
        "Check the id. What is not yours to see is not found either.",
    ),
    ProblemType("session_not_found", 404, "Session not found", "Check the id: it may have ended already."),
    ProblemType("route_not_found", 404, "No such path", "Look the path up in /docs."),
    ProblemType("method_not_allowed", 405, "Method not allowed", "The `Allow` header lists the methods of this path."),
    ProblemType(
        "request_timeout",
        408,
        "Request timed out",
        "Send all of a request without long pauses. Nothing was stored; the connection is closed.",
    ),
    ProblemType("username_taken", 409, "Username taken", "Choose another username."),
    ProblemType(
        "email_taken", 409, "E-mail address taken", "Use another address, or sign in with the account that has it."
    ),
    ProblemType(
        "user_owns_items",
        409,
        "User owns items",
        "Say what becomes of them: `?items=delete` or `?items=transfer&to=ID`.",
    ),
    ProblemType("last_admin", 409, "Last admin", "Make another user an admin first."),
    ProblemType("insufficient_quantity", 409, "Insufficient quantity", "Read the item again and ask for no more."),
    ProblemType(
        "quantity_overflow", 409, "Quantity overflow", "The receiving item cannot hold so many: transfer fewer."
    ),
    ProblemType(
        "idempotency_key_in_use",
        409,
        "Idempotency key in use",
        "The first request with this key is still under way: repeat it after a pause.",
        1,
    ),
    ProblemType("conflict", 409, "Conflict", "Others were changing the same thing all the time. Repeat the request."),
    ProblemType(
        "version_mismatch", 412, "Version mismatch", "It has changed since you read it: read it again, then decide."
    ),
    ProblemType("body_too_large", 413, "Body too large", "Send less at a time."),
    ProblemType(
        "unsupported_media_type",
        415,
        "Unsupported media type",
        "Send what the header `Accept` names, and say so in `Content-Type`.",
    ),
    ProblemType("invalid_request", 422, "Invalid request", "`errors` names each fault and where it is."),
    ProblemType("unknown_recipient", 422, "Unknown recipient", "Name an active recipient other than the owner."),
    ProblemType("same_item", 422, "Same item", "Name another item as the recipient."),
    ProblemType(
        "idempotency_key_reused",
        422,
        "Idempotency key reused",
        "This key was used for another request: draw a new one for each.",
    ),
    ProblemType(
        "precondition_required",
        428,
        "Precondition required",
        "Read the thing, and send its ETag as `If-Match` (in a batch: its `version`).",
    ),
    ProblemType("rate_limited", 429, "Too many attempts", "Wait as long as `Retry-After` says."),
    ProblemType("head_too_large", 431, "Headers too large", "Send a shorter path, or fewer and shorter headers."),
    ProblemType(
        "internal_error",
        500,
        "Internal error",
        "A bug of ours; nothing was stored. Report the `request_id`.",
    ),
    ProblemType(
        "failed_after_commit",
        500,
        "Failed after a commit",
        "It is stored as a whole or in part, or may be: repeat the request with the same Idempotency-Key, or read "
        "first. Report the `request_id`.",
    ),
    ProblemType("overloaded", 503, "Overloaded", "Nothing was stored. Repeat the request after a pause.", 1),
    ProblemType(
        "database_unavailable", 503, "Database unavailable", "Nothing was stored. Repeat the request after a pause.", 1
    ),
    ProblemType("shutting_down", 503, "Shutting down", "This server is ending: send requests to another one.", 1),
    ProblemType("schema_out_of_date", 503, "Schema out of date", "The operator has to run `steward db upgrade`.", 30),
    ProblemType(
        "deadline_exceeded", 503, "Deadline exceeded", "Nothing was stored. Repeat the request after a pause.", 1
    ),
    ProblemType(
        "outcome_unknown",
        503,
        "Outcome unknown",
        "It may or may not be stored: repeat the request with the same Idempotency-Key, or read first.",
    ),
    ProblemType("storage_full", 507, "Storage full", "Nothing was stored. The operator has to make room."),
)

PROBLEM_TYPES: dict[str, ProblemType] = {each.code: each for each in _TYPES}


def type_of_status(status: int) -> ProblemType:
    """Return the type of a problem of which only the status is known: somebody has raised FastAPI's `HTTPException`."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = f"Status {status}"
    return ProblemType(f"http_{status}", status, title, advice="")
