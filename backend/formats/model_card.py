"""A model card as one self-contained HTML file."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from backend.domain.findings import Finding

_TEMPLATES = Path(__file__).parent / "templates"
_SIDE, _MARGIN = 240.0, 34.0
_FROC_ENDS_AT = 8.0

_HEADLINE = (
    ("mAP@0.4", ("map40",)),
    ("mAP@0.5", ("map50",)),
    ("mAP@[.5:.95]", ("map50_95",)),
    ("sensitivity at 0.125 false marks per image", ("sensitivity", "0.125")),
    ("sensitivity at 0.5 false marks per image", ("sensitivity", "0.5")),
    ("sensitivity at 1 false mark per image", ("sensitivity", "1")),
    ("image-level AUC, any finding against none", ("image_auc",)),
    ("marks that readers see per image without findings", ("marks_on_empties",)),
    ("calibration error of detections (D-ECE)", ("calibration", "d_ece")),
    ("calibration error of boxes (LaECE)", ("calibration", "la_ece")),
)


def render_model_card(card: Mapping[str, Any]) -> str:
    """Return a model card for people.

    Parameters
    ----------
    card : mapping
        What `describe_model` gathered.

    Returns
    -------
    str
        HTML that loads nothing; everything from the card is escaped.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {"interval": _interval, "moment": _moment}
    detection = card["detection"] or {}
    splits = (card["data"] or {}).get("splits", {}).values()
    return environment.get_template("model_card.html").render(
        card=card,
        headline=headline(detection) if detection.get("images") else [],
        froc=_froc(detection.get("froc", [])),
        reliability=_reliability(card["calibration"] or {}),
        titles=[
            finding.title
            for finding in Finding
            if any(finding.title in split["findings"] for split in splits)
        ],
    )


def headline(detection: Mapping[str, Any]) -> list[tuple[str, Mapping[str, float | None]]]:
    """Return the main figures of what was measured of a detector.

    Parameters
    ----------
    detection : mapping
        From `describe_detection`, of at least one image.

    Returns
    -------
    list of (str, mapping)
        What, and its estimate with the ends of its interval.
    """
    found = []
    for title, path in _HEADLINE:
        figure: Any = detection
        for key in path:
            figure = figure[key]
        found.append((title, figure))
    return found


def _interval(figure: Mapping[str, float | None]) -> str:
    estimate, low, high = (figure[name] for name in ("estimate", "low", "high"))
    if estimate is None:
        return "not defined"
    return f"{estimate:.3f}" + ("" if low is None else f" ({low:.3f} to {high:.3f})")


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"


def _froc(points: Sequence[Sequence[float]]) -> Markup:
    """Return the curve; the axis of false marks is stretched at its beginning."""
    ticks = [(f"{rate:g}", (rate / _FROC_ENDS_AT) ** 0.5) for rate in (0.125, 0.5, 1, 2, 4, 8)]
    places = [((rate / _FROC_ENDS_AT) ** 0.5, share) for rate, share in points]
    return _chart(ticks, _line(places, "#0072b2"))


def _reliability(calibration: Mapping[str, Any]) -> Markup | None:
    before, after = (
        calibration.get(name) or [] for name in ("reliability_before", "reliability_after")
    )
    if not before and not after:
        return None
    ticks = [(f"{share:g}", share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    diagonal = _line([(0.0, 0.0), (1.0, 1.0)], "#8a8a8a", dashes="4 4")
    return _chart(ticks, diagonal + _dots(before, "none") + _dots(after, "#d55e00"))


def _chart(ticks: Sequence[tuple[str, float]], inside: Markup) -> Markup:
    whole = _SIDE + 1.5 * _MARGIN
    marks = Markup("").join(
        Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
            _x(place), _SIDE + _MARGIN, label
        )
        for label, place in ticks
    ) + Markup("").join(
        Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="end">{:g}</text>').format(
            _MARGIN - 5, _y(share) + 4, share
        )
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    )
    frame = Markup(
        '<rect x="{0}" y="{1}" width="{2}" height="{2}" fill="none" stroke="#bbb"/>'
    ).format(_MARGIN, _MARGIN / 2, _SIDE)
    return Markup('<svg role="img" width="{0:.0f}" height="{0:.0f}">{1}{2}{3}</svg>').format(
        whole, frame, marks, inside
    )


def _line(places: Sequence[tuple[float, float]], colour: str, *, dashes: str = "") -> Markup:
    path = " ".join(f"{_x(across):.1f},{_y(up):.1f}" for across, up in places)
    return Markup(
        '<polyline points="{}" fill="none" stroke="{}" stroke-width="1.8" stroke-dasharray="{}"/>'
    ).format(path, colour, dashes)


def _dots(points: Sequence[Sequence[float]], fill: str) -> Markup:
    return Markup("").join(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4" fill="{}" stroke="#d55e00"/>').format(
            _x(predicted), _y(observed), fill
        )
        for predicted, observed, _ in points
    )


def _x(share: float) -> float:
    return _MARGIN + share * _SIDE


def _y(share: float) -> float:
    return _MARGIN / 2 + (1 - share) * _SIDE
