"""What the workflow needs to know to work with Label Studio."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backend import image_links
from backend.label_studio.client import LabelStudioClient


@dataclass(frozen=True, slots=True)
class LabelStudioDesk:
    """How to reach every reader's project, and how images are linked.

    Attributes
    ----------
    open_client : callable
        Opens a client of a reader's organisation, by reader id.
    backend_url : str
        Where browsers reach the images.
    image_secret : str
        What image links are signed with.
    link_life : timedelta
        How long a link is good.
    """

    open_client: Callable[[str], LabelStudioClient]
    backend_url: str
    image_secret: str = field(repr=False)
    link_life: timedelta

    def image_link(self, image_id: str, *, expires_at: datetime) -> str:
        """Return a signed link to an image.

        Parameters
        ----------
        image_id : str
            The image.
        expires_at : datetime
            Until when it is good; aware.

        Returns
        -------
        str
            For a task.
        """
        return image_links.sign(
            self.backend_url, image_id, expires_at=expires_at, secret=self.image_secret
        )
