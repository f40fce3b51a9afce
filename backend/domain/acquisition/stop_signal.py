"""Whether to go on reading: what the images that nobody reads hide, and what more would bring."""

from dataclasses import dataclass

from backend.domain.acquisition.learning_curve import CurvePoint, Forecast
from backend.domain.counted_share import share_interval

EMPTY_BELOW = 0.1
"""An image is confidently empty when no box of the model has this probability."""

WORTHWHILE_RISE = 0.01
"""A smaller rise of mAP@0.4 is not worth reading as many images again as have been read."""

FEWEST_FOR_FLATNESS = 4
"""Numbers of images that a curve needs before it can be called flat; three tell a bend at most."""

_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class HiddenFindings:
    """What the confidently empty images hide, from those that were drawn at random and read.

    Attributes
    ----------
    audited : int
        Images that were drawn at random, that the model of the day called empty, and that have
        been read since.
    with_findings : int
        Of those, in how many the readers found something.
    unread : int
        Images that the champion calls empty and nobody has read.
    """

    audited: int
    with_findings: int
    unread: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share that hides something, in [0, 1]."""
        return share_interval(self.with_findings, self.audited)

    def sentence(self) -> str:
        """Say it to people.

        Returns
        -------
        str
            One or two sentences.
        """
        if not self.audited:
            return (
                "No image that was drawn at random and that the model calls empty has been read "
                "yet, so nobody knows what the empty ones hide."
            )
        low, high = self.interval
        said = (
            f"{self.with_findings} of {self.audited} confidently empty images that were drawn at "
            f"random hide a finding: "
        )
        if self.with_findings:
            share = self.with_findings / self.audited
            said += f"{share:.1%} (95 % interval {low:.1%} to {high:.1%})."
        else:
            said += f"at most {high:.1%} (95 %)."
        if self.unread:
            said += (
                f" Among the {self.unread:,} confidently empty images that nobody has read, that "
                f"is {_count(low * self.unread)} to {_count(high * self.unread)}."
                if self.with_findings
                else f" Among the {self.unread:,} that nobody has read, that is at most "
                f"{_count(high * self.unread)}."
            )
        return said


@dataclass(frozen=True, slots=True)
class StopSignal:
    """What speaks for reading more, and what against.

    Attributes
    ----------
    hidden : HiddenFindings
        What the confidently empty images hide.
    points : tuple of CurvePoint
        The learning curve so far, by number of images.
    forecast : Forecast or None
        What more images will bring.
    as_many_again : Forecast or None
        What as many images again as have been read will bring.
    no_forecast_because : str or None
        Why there is none.
    has_same_test : bool
        Whether all points were measured on the same test images.
    readings_per_image : float
        How many readings an image takes, on average.
    seconds_per_reading : float, [s]
        How long one takes.
    """

    hidden: HiddenFindings
    points: tuple[CurvePoint, ...]
    forecast: Forecast | None
    as_many_again: Forecast | None
    no_forecast_because: str | None
    has_same_test: bool
    readings_per_image: float
    seconds_per_reading: float

    @property
    def hours(self) -> float | None:
        """Reading time in hours that the images of the forecast take; None without one."""
        if self.forecast is None:
            return None
        readings = self.forecast.more_images * self.readings_per_image
        return readings * self.seconds_per_reading / _SECONDS_PER_HOUR

    @property
    def is_flat(self) -> bool:
        """Whether as many images again would hardly bring anything, however far one asks ahead."""
        sizes = {point.read_images for point in self.points}
        return (
            self.as_many_again is not None
            and len(sizes) >= FEWEST_FOR_FLATNESS
            and self.as_many_again.high < WORTHWHILE_RISE
        )

    def sentences(self) -> tuple[str, ...]:
        """Say it to people.

        Returns
        -------
        tuple of str
            What hides, then what more brings.
        """
        if self.forecast is None:
            return self.hidden.sentence(), f"No forecast yet: {self.no_forecast_because}."
        one = self.forecast
        said = (
            f"{one.more_images:,} more images are expected to bring {one.gain:+.3f} "
            f"± {one.margin:.3f} mAP@0.4 (95 % interval {one.low:+.3f} to {one.high:+.3f}), about "
            f"{self.hours:.1f} reader-hours ({self.readings_per_image:.1f} readings an image, "
            f"{self.seconds_per_reading:.0f} s each)."
        )
        if self.as_many_again is not None and self.is_flat:
            said += (
                f" Even as many images again ({self.as_many_again.more_images:,}) would bring "
                f"{self.as_many_again.high:+.3f} at most: the curve has flattened."
            )
        if not self.has_same_test:
            said += " The test images changed on the way, so the curve is a rough guide only."
        return self.hidden.sentence(), said


def _count(images: float) -> str:
    return f"{images:,.0f}"
