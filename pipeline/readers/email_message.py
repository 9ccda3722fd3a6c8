"""E-mail newsletters (.eml).

In: a stream. Out: one ``Article``, the HTML part as text where there is one, else the plain part. The sender
is the publisher, the subject the title. Attachments are not read.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import parseaddr
from typing import cast

from pipeline.readers.html_page import fragment_text
from pipeline.readers.source import Source, UnusableItem, decode, read_whole
from pipeline.records import Article, Reject
from pipeline.settings import Settings


def read_email(source: Source, settings: Settings) -> Iterator[Article | Reject]:
    """The article of one message. Raises ``UnusableItem`` (missing_text) for a message without a text part."""
    data = read_whole(source.stream, settings.reading.max_bytes)
    message = cast(EmailMessage, email.message_from_bytes(data, policy=email.policy.default))
    if not message.keys():
        raise UnusableItem("unreadable", "no e-mail headers")
    part = message.get_body(preferencelist=("html", "plain"))
    body = _body(cast(EmailMessage, part)) if part is not None else ""
    if part is not None and part.get_content_type() == "text/html":
        body = fragment_text(body)
    if not body.strip():
        raise UnusableItem("missing_text", "the message has no text part")
    name, address = parseaddr(str(message.get("From", "")))
    yield Article(
        source_uri=source.uri,
        text=body,
        title=str(message.get("Subject", "")).strip() or None,
        publisher=name or address or None,
        published=str(message.get("Date", "")).strip() or None,
    )


def _body(part: EmailMessage) -> str:
    """The decoded text of a part; the declared charset counts only where the bytes agree with it."""
    payload = part.get_payload(decode=True)
    return decode(payload, part.get_content_charset()) if isinstance(payload, bytes) else ""
