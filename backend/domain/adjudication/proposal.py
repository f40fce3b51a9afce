"""What an adjudicator is shown: clusters to settle, and who drew what, by letters."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from string import ascii_uppercase

import numpy as np

from backend.domain.adjudication.request import CandidateBox, Choice, ProposedBox
from backend.domain.adjudication.settlement import Settlement
from backend.domain.adjudication.verdict import Act, Decision, Subject, Verdict
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus
from backend.domain.predictions import PredictedBox
from backend.domain.readings import Reading

MODEL = "Model"
_SOMEBODY = "A reader"  # whose reading has changed since the answer was reached

_CHOICE_OF_ACT = {Act.MERGE: Choice.MERGE, Act.REJECT: Choice.REJECT}


def letters(reader_ids: Iterable[str], image_id: str, *, seed: int) -> dict[str, str]:
    """Return what the readers of an image are called there.

    Parameters
    ----------
    reader_ids : iterable of str
        Who read it.
    image_id : str
        The image; every image shuffles anew, so that a letter says nothing about a reader.
    seed : int
        Of the shuffling.

    Returns
    -------
    dict of str to str
        Reader id to "Reader A", "Reader B" and so on.
    """
    known = sorted(set(reader_ids))
    digest = hashlib.sha256(f"{seed}:{image_id}".encode()).digest()
    order = np.random.default_rng(int.from_bytes(digest[:8], "big")).permutation(len(known))
    return {known[row]: f"Reader {ascii_uppercase[place % 26]}" for place, row in enumerate(order)}


def propose(
    consensus: Consensus, disputed: frozenset[int], names: Mapping[str, str]
) -> tuple[ProposedBox, ...]:
    """Return the clusters of an image as boxes to settle.

    Parameters
    ----------
    consensus : Consensus
        Current answer.
    disputed : frozenset of int
        Rows of the clusters that somebody must decide on.
    names : mapping of str to str
        `letters` of the image's readers.

    Returns
    -------
    tuple of ProposedBox
        Every cluster: the disputed first, each group in the order of the answer.
    """
    rows = sorted(range(len(consensus.clusters)), key=lambda row: row not in disputed)
    return tuple(
        _proposed(consensus.clusters[row], names, is_disputed=row in disputed) for row in rows
    )


def candidates(
    readings: Sequence[Reading], shown: Sequence[PredictedBox], names: Mapping[str, str]
) -> tuple[CandidateBox, ...]:
    """Return what each reader and the model drew.

    Parameters
    ----------
    readings : sequence of Reading
        Of one image.
    shown : sequence of PredictedBox
        The model's boxes.
    names : mapping of str to str
        `letters` of the readers.

    Returns
    -------
    tuple of CandidateBox
        By letter, the model last.
    """
    read = sorted(readings, key=lambda one: names[one.reader_id])
    return (
        *(
            CandidateBox(names[reading.reader_id], box.finding, box.box)
            for reading in read
            for box in reading.boxes
        ),
        *(CandidateBox(MODEL, box.finding, box.box) for box in shown),
    )


def propose_again(
    proposal: Sequence[ProposedBox], last: Verdict, settlement: Settlement
) -> tuple[ProposedBox, ...]:
    """Return what a further adjudicator is shown.

    Parameters
    ----------
    proposal : sequence of ProposedBox
        What the one before was shown.
    last : Verdict
        What the one before decided.
    settlement : Settlement
        What two adjudicators agree on already.

    Returns
    -------
    tuple of ProposedBox
        Boxes as the last verdict leaves them. What is agreed is chosen already; every other
        decision, and every dispute that was left open, must be decided again.
    """
    agreed = settlement.verdict.decisions if settlement.verdict else ()
    decided = {one.subject: one for one in last.decisions if one.subject is not None}
    again = [
        replace(one, is_disputed=one.is_disputed or one.preset not in {None, Choice.LEAVE})
        if (decision := decided.get(one.subject)) is None
        else _shown_again(one, decision, is_agreed=decision in agreed)
        for one in proposal
        if one.subject is not None
    ]
    drawn = [
        _shown_again(
            ProposedBox(None, one.finding, one.box, ClusterState.ADJUDICATED, 1.0, True),
            one,
            is_agreed=one in agreed,
        )
        for one in last.decisions
        if one.subject is None and one.finding is not None and one.box is not None
    ]
    return (*again, *drawn)


def _proposed(cluster: Cluster, names: Mapping[str, str], *, is_disputed: bool) -> ProposedBox:
    keys = [one.read_box_id for one in cluster.supporters if one.read_box_id is not None]
    return ProposedBox(
        subject=Subject(cluster.finding, cluster.box, tuple(sorted(keys))),
        finding=cluster.finding,
        box=cluster.box,
        state=cluster.state,
        p_true=cluster.p_true,
        is_disputed=is_disputed,
        sources=tuple(sorted({names.get(one.reader_id, _SOMEBODY) for one in cluster.supporters})),
        preset=None if is_disputed else Choice.LEAVE,
    )


def _shown_again(one: ProposedBox, decision: Decision, *, is_agreed: bool) -> ProposedBox:
    stands = decision.act is not Act.MERGE
    finding = decision.finding if stands and decision.finding is not None else one.finding
    box: Box = decision.box if stands and decision.box is not None else one.box
    because = f": {decision.reason}" if decision.reason else ""
    return replace(
        one,
        finding=finding,
        box=box,
        is_disputed=not is_agreed,
        remark=f"Another adjudicator: {decision.act.value}{because}",
        preset=_CHOICE_OF_ACT.get(decision.act, Choice.ACCEPT) if is_agreed else None,
    )
