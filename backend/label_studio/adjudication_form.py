"""An adjudicator's request as Label Studio's task, and the form that it is shown in.

The boxes to settle are regions of the control "finding"; what each reader drew lies below them,
locked, under the control "candidate", whose labels come with the task. Readers are letters there.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from backend.domain.adjudication.request import CandidateBox, Choice, ProposedBox, Request
from backend.installed_files import locate
from backend.label_studio import regions
from backend.label_studio.regions import Region
from backend.label_studio.tasks import TASK_FORMAT, TaskPrediction, score_of_rank

ACT_TAG = "act"
REASON_TAG = "reason"
CANDIDATE_TAG = "candidate"
NOTHING_MISSING = "Nothing is missing"

# Okabe and Ito's colours, which colour-blind people can tell apart; black is lost on an image.
_READER_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
_MODEL_COLOUR = "#8a8a8a"
_STYLE = (
    ".brief{font-size:13px;line-height:1.35}"
    ".brief ul{margin:0 0 6px;padding-left:18px;list-style:disc}"
    ".brief table{border-collapse:collapse;width:100%}"
    ".brief td,.brief th{padding:2px 5px;text-align:left;vertical-align:top;"
    "border-top:1px solid #8884}"
    ".brief p{margin:0 0 6px}.brief p.keys{margin:8px 0 0;opacity:.75}"
    ".brief tr.open td{background:#fde8c8;color:#222}"
)
_KEYS = (
    "Select a box, then <b>a</b> accept, <b>s</b> merge into another, <b>d</b> reject, <b>f</b> "
    "leave; a finding's key renames it. Draw what is missing."
)


def form_xml() -> str:
    """Return the adjudication form.

    Returns
    -------
    str
        Label Studio's labelling configuration.
    """
    return locate("annotation_configs/adjudication.xml").read_text()


def proposal_id(row: int) -> str:
    """Return the id under which a proposed box is shown.

    Parameters
    ----------
    row : int
        Its row in the request's proposal.

    Returns
    -------
    str
        For example "c0".
    """
    return f"c{row}"


def task_data(request: Request, *, image_url: str, problem: str = "") -> dict[str, Any]:
    """Return the data of a request's task.

    Parameters
    ----------
    request : Request
        What is asked; saved.
    image_url : str
        Signed link to the pixels.
    problem : str
        Why what was submitted does not count; empty when nothing is wrong.

    Returns
    -------
    dict
        JSON, without any identifier of the patient or of a reader.
    """
    names = dict.fromkeys(_candidate_label(one) for one in request.candidates)
    sources = {_candidate_label(one): one.source for one in request.candidates}
    return {
        "image": image_url,
        "image_id": request.image_id,
        "entry": request.key,
        "overread": TASK_FORMAT,
        "brief": brief(request, problem),
        "candidates": [{"value": name, "background": colour(sources[name])} for name in names],
    }


def prediction(
    request: Request, *, task_id: int, rank: int, width_px: int, height_px: int
) -> TaskPrediction:
    """Return what a request's task shows, and when it is served.

    Parameters
    ----------
    request : Request
        What is asked.
    task_id : int
        Label Studio's key.
    rank : int
        Place in the order, from 0.
    width_px, height_px : int, [px]
        Size of the registered image.

    Returns
    -------
    TaskPrediction
        Boxes to settle first, so that Label Studio numbers them as the brief does. Those that
        nobody disputes are left as they are unless the adjudicator changes them.
    """
    result: list[Region] = []
    for row, one in enumerate(request.proposal):
        region = regions.region_from_box(
            one.box, one.finding, width_px, height_px, key=proposal_id(row)
        )
        result.append(region)
        if one.preset is not None:
            result.append(_act_item(region, one.preset))
    for row, candidate in enumerate(request.candidates):
        region = regions.region_from_box(
            candidate.box, candidate.finding, width_px, height_px, key=f"k{row}"
        )
        value = {**region["value"], "rectanglelabels": [_candidate_label(candidate)]}
        result.append({**region, "from_name": CANDIDATE_TAG, "value": value, "readonly": True})
    return TaskPrediction(task_id, score_of_rank(rank), tuple(result))


def colour(source: str) -> str:
    """Return the colour of a source of boxes.

    Parameters
    ----------
    source : str
        "Reader A" and so on, or "Model".

    Returns
    -------
    str
        As ``#rrggbb``; readers from the eighth on share the first ones' colours.
    """
    letter = source.removeprefix("Reader ")
    if letter == source or len(letter) != 1:
        return _MODEL_COLOUR
    return _READER_COLOURS[(ord(letter) - ord("A")) % len(_READER_COLOURS)]


def brief(request: Request, problem: str = "") -> str:
    """Return why the image is here and what is to be settled, for the side of the image.

    Parameters
    ----------
    request : Request
        What is asked.
    problem : str
        Why what was submitted does not count; empty when nothing is wrong.

    Returns
    -------
    str
        HTML.
    """
    head = "".join(f"<li>{escape(reason)}</li>" for reason in request.reasons)
    back = (
        f"<p><b>Open again.</b> What was submitted here does not count: {escape(problem)}</p>"
        if problem
        else ""
    )
    second = (
        ""
        if request.round == 1
        else "<p><b>Second opinion.</b> The boxes are as another adjudicator left them. Decide "
        "on every marked one yourself.</p>"
    )
    rows = "".join(_row(number, one) for number, one in enumerate(request.proposal, start=1))
    return (
        f"<style>{_STYLE}</style>"
        f'<div class="brief">{back}<ul>{head}</ul>{second}<table><tr><th>Box</th><th>Finding</th>'
        f'<th>Marked by</th></tr>{rows}</table><p class="keys">{_KEYS}</p></div>'
    )


def _row(number: int, one: ProposedBox) -> str:
    kind = "open" if one.is_disputed else "quiet"
    sources: Sequence[str] = [
        f'<span style="color:{colour(name)}">&#9632;</span>&nbsp;{escape(name)}'
        for name in one.sources
    ]
    remark = f"<br><i>{escape(one.remark)}</i>" if one.remark else ""
    said = f"{escape(one.finding.title)}<br><small>{one.state.value}, {one.p_true:.0%}</small>"
    return (
        f'<tr class="{kind}"><td>{number}</td><td>{said}{remark}</td>'
        f"<td>{'<br>'.join(sources)}</td></tr>"
    )


def _candidate_label(one: CandidateBox) -> str:
    return f"{one.source}: {one.finding.title}"


def _act_item(region: Region, choice: Choice) -> Region:
    place = {name: part for name, part in region["value"].items() if name != "rectanglelabels"}
    value = {**place, "choices": [choice.value]}
    return {**region, "from_name": ACT_TAG, "type": "choices", "value": value}
