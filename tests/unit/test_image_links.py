"""A link shows one image, for a while, and cannot be made by others."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from backend import image_links

OURS = "s"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def parts(link: str) -> tuple[str, str]:
    query = parse_qs(urlsplit(link).query)
    return query["expires"][0], query["signature"][0]


class TestVerify:
    def test_accepts_what_was_signed(self) -> None:
        link = image_links.sign("http://b/", "i1", expires_at=NOON, secret=OURS)
        expires, signature = parts(link)

        image_links.verify("i1", expires=expires, signature=signature, secret=OURS, now=NOON)

        assert link.startswith("http://b/images/i1.png?")

    @pytest.mark.parametrize(
        ("image_id", "later", "secret", "why"),
        [
            ("i2", 0, OURS, "not made by this server"),
            ("i1", 0, "t", "not made by this server"),
            ("i1", 1, OURS, "expired"),
        ],
    )
    def test_refuses_another_image_another_secret_and_a_late_comer(
        self, image_id: str, later: int, secret: str, why: str
    ) -> None:
        expires, signature = parts(
            image_links.sign("http://b", "i1", expires_at=NOON, secret=OURS)
        )

        with pytest.raises(image_links.ImageLinkError, match=why):
            image_links.verify(
                image_id,
                expires=expires,
                signature=signature,
                secret=secret,
                now=NOON + timedelta(seconds=later),
            )

    @pytest.mark.parametrize("expires", ["", "soon", "1.5", "-1", "٣", "9" * 13])
    @pytest.mark.parametrize("signature", ["", "x"])
    def test_refuses_a_link_without_signature(self, expires: str, signature: str) -> None:
        with pytest.raises(image_links.ImageLinkError, match="expected a signed link"):
            image_links.verify("i1", expires=expires, signature=signature, secret=OURS, now=NOON)
