"""A model joins the readers: where it may, and what that changes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.boxes import Box, pairwise_iou
from backend.domain.consensus.grouping import SAME_FINDING_IOU
from backend.domain.consensus.logistic import sigmoid
from backend.domain.consensus.model_reader import (
    Bar,
    JudgedOnTheseImagesError,
    ModelMayNotVoteError,
    ModelReader,
    ShownToReadersError,
    TrainedOnTheseReadingsError,
    is_model,
    join,
    model_among,
)
from backend.domain.consensus.model_vote import JointSurvey, fit_joint_panel, reconcile_joint
from backend.domain.consensus.panel import Panel, fit_panel, prior_panel
from backend.domain.consensus.reader_skill import sensitivity
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import Verdict, reconcile
from backend.domain.findings import Finding
from backend.domain.metrics.calibration import brier_score
from backend.domain.predictions import PredictedBox, Prediction
from backend.formats.names import is_safe
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    THICKENING,
    Crowd,
    Marks,
    Reader,
    Readings,
    boxes,
    fitted_panel,
    read_by,
    readings_of_images,
    square,
    table_of,
    votes_of,
)

NAMES = tuple(f"P{number}" for number in range(8))
FINDINGS = (EFFUSION, THICKENING, Finding.NODULE_MASS)
SILENT = {image_id: Prediction(image_id, "m1", ()) for image_id in "ab"}
BARRED = frozenset("bcz")


def model_of(marks: Mapping[str, Marks], version: str = "m1", score: float = 0.9) -> ModelReader:
    """Return a model that is sure of these marks."""
    return ModelReader(
        version,
        {
            image_id: Prediction(
                image_id, version, tuple(PredictedBox(finding, box, score) for finding, box in of)
            )
            for image_id, of in marks.items()
        },
    )


def joint(readings: Readings, marks: Mapping[str, Marks]) -> JointSurvey:
    return JointSurvey.of(Survey.of(table_of(readings)), model_of(marks))


def columns(verdict: Verdict) -> list[object]:
    """Return what a model must leave as it is."""
    return [
        verdict.table.reader_ids,
        verdict.images.tolist(),
        verdict.findings.tolist(),
        verdict.places.tolist(),
        verdict.boxes.tolist(),
        verdict.states,
        verdict.supporters(),
    ]


def laid(survey: JointSurvey) -> list[int]:
    """Return plainly which cluster of people each mark of the model votes for; -1 for none."""
    table = survey.both.table
    people = [
        mark
        for mark, reader in enumerate(table.mark_readers.tolist())
        if not is_model(table.reader_ids[reader])
    ]
    own = [mark for mark in range(len(table.mark_images)) if mark not in people]
    iou = pairwise_iou(table.mark_boxes, table.mark_boxes)
    pairs = [
        (-iou[mark, other], mark, int(survey.people.groups.cluster_of_mark[number]))
        for mark in own
        for number, other in enumerate(people)
        if table.mark_images[mark] == table.mark_images[other]
        and table.mark_findings[mark] == table.mark_findings[other]
        and iou[mark, other] > SAME_FINDING_IOU
    ]
    found: dict[int, int] = {}
    for _, mark, cluster in sorted(pairs):
        if mark not in found and cluster not in found.values():
            found[mark] = cluster
    return [found.get(mark, -1) for mark in own]


marks_of_a_model = st.dictionaries(
    st.sampled_from("abcd"),
    st.lists(st.tuples(st.sampled_from([EFFUSION, THICKENING]), boxes), max_size=4),
)


class TestModelReader:
    def test_has_a_name_that_no_person_can_have(self) -> None:
        name = model_of({}, "m3").reader_id

        assert not is_safe(name)
        assert is_model(name)
        assert model_among(["R1", name]) == "m3"
        assert model_among(["R1", "model"]) is None

    def test_counts_why_it_may_not_vote_once_for_each_image(self) -> None:
        model = replace(
            model_of({"a": [], "b": [], "c": [], "d": []}),
            trained_on=frozenset("ab"),
            shown_on=frozenset("bcx"),
            judged_on=frozenset("abc"),
        )

        assert model.bars("abcdx") == {Bar.TRAINED_ON: 2, Bar.SHOWN_ON: 1}
        assert set(model.where_allowed().predictions) == {"d"}
        assert model.where_allowed().bars("abcdx") == {}


class TestJoin:
    def test_adds_a_reader_who_marks_what_it_is_sure_of(self) -> None:
        table = table_of(
            {("a", "R1"): [(EFFUSION, square(0.0))], ("b", "R2"): [], ("c", "R1"): []}
        )
        prediction = Prediction(
            "a",
            "m1",
            (
                PredictedBox(EFFUSION, square(10.0), 0.25, id=7),
                PredictedBox(THICKENING, square(10.0), 0.2, id=8),
            ),
        )
        model = ModelReader("m1", {"a": prediction, "b": Prediction("b", "m1", ())})

        joined = join(table, model)

        assert joined.reader_ids == ("R1", "R2", "model:m1")
        read = zip(joined.reading_images.tolist(), joined.reading_readers.tolist(), strict=True)
        assert list(read) == [(0, 0), (0, 2), (1, 1), (1, 2), (2, 0)]
        assert joined.mark_readers.tolist() == [0, 2]
        assert joined.mark_keys.tolist() == [-1, -1]
        assert join(table, model, least_score=0.2).mark_findings.tolist() == [
            EFFUSION, EFFUSION, THICKENING,
        ]  # fmt: skip

    def test_keeps_the_keys_of_the_readers_marks(self) -> None:
        table = table_of(votes_of(2, of=2))
        table = replace(table, mark_keys=np.array([5, 3]))

        assert join(table, model_of({"a": [(EFFUSION, square(50.0))]})).mark_keys.tolist() == [
            5, 3, -1,
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("model", "error", "remedy"),
        [
            (
                ModelReader("m1", SILENT, trained_on=BARRED),
                TrainedOnTheseReadingsError,
                "on 1 images: .*cross-fitting",
            ),
            (
                ModelReader("m1", SILENT, shown_on=BARRED),
                ShownToReadersError,
                "on 1 images: .*unassisted",
            ),
            (
                ModelReader("m1", SILENT, judged_on=BARRED),
                JudgedOnTheseImagesError,
                "on 1 images: .*retrain",
            ),
        ],
    )
    def test_refuses_where_the_model_has_no_news(
        self, model: ModelReader, error: type[ModelMayNotVoteError], remedy: str
    ) -> None:
        table = table_of({("a", "R1"): [], ("b", "R1"): [], ("c", "R1"): []})

        with pytest.raises(error, match=remedy):
            join(table, model)

        allowed = join(table, model.where_allowed())
        assert [
            allowed.image_ids[image]
            for image, reader in zip(allowed.reading_images, allowed.reading_readers, strict=True)
            if reader == 1
        ] == ["a"]

    def test_takes_predictions_of_images_that_the_model_was_not_trained_on(self) -> None:
        model = replace(model_of({"a": []}), trained_on=frozenset({"b"}))

        assert join(table_of({("a", "R1"): []}), model).reader_ids == ("R1", "model:m1")


class TestJointSurvey:
    def test_lays_a_mark_to_the_cluster_that_it_overlaps_most(self) -> None:
        readings = {("a", "R1"): [(EFFUSION, square(0.0)), (EFFUSION, square(80.0))]}

        survey = joint(readings, {"a": [(EFFUSION, square(50.0))]})

        marked = survey.both.votes.marks[survey.clusters]
        assert dict(zip(survey.people.table.mark_boxes[:, 0], marked, strict=True)) == {
            0.0: 1.0,
            80.0: 2.0,
        }
        assert (survey.model_only, survey.images) == (0, 1)

    def test_does_not_join_what_people_have_drawn_apart(self) -> None:
        readings = {
            ("a", "R1"): [(EFFUSION, square(0.0))],
            ("a", "R2"): [(EFFUSION, square(60.0))],
        }
        bridge = {"a": [(EFFUSION, square(30.0))]}

        survey = joint(readings, bridge)

        assert len(survey.clusters) == 2
        assert len(Survey.of(join(survey.people.table, model_of(bridge))).groups.first_marks) == 1

    def test_counts_what_the_model_alone_marks(self) -> None:
        readings = {("a", "R1"): [(EFFUSION, square(0.0))], ("b", "R1"): []}
        marks = {
            "a": [(THICKENING, square(0.0)), (EFFUSION, square(5.0)), (EFFUSION, square(10.0))],
            "b": [(EFFUSION, square(0.0))],
        }

        survey = joint(readings, marks)

        assert survey.model_only == 3
        assert survey.both.votes.marks[survey.clusters].tolist() == [2.0]

    @given(readings_of_images(), marks_of_a_model)
    def test_is_what_one_gets_pair_by_pair(
        self, readings: Readings, marks: Mapping[str, Marks]
    ) -> None:
        survey = joint(readings, marks)

        number = {int(cluster): row for row, cluster in enumerate(survey.clusters)}
        table, groups = survey.both.table, survey.both.groups
        by_model = np.array([is_model(one) for one in table.reader_ids])[table.mark_readers]
        found = [number.get(int(one), -1) for one in groups.cluster_of_mark[by_model]]
        assert found == laid(survey)
        assert np.all(np.diff(groups.first_marks) > 0)
        assert (table.mark_images[groups.first_marks] == survey.both.images).all()


class TestReconcileJoint:
    @settings(deadline=None)
    @given(readings_of_images(), marks_of_a_model, st.sampled_from([fitted_panel, prior_panel]))
    def test_leaves_the_people_their_clusters_boxes_states_and_supporters(
        self, readings: Readings, marks: Mapping[str, Marks], known: Callable[[], Panel]
    ) -> None:
        panel = known()
        survey = joint(readings, marks)

        found = reconcile_joint(survey, panel)

        assert columns(found) == columns(reconcile(survey.people, panel))
        assert ((found.scores > 0) & (found.scores < 1)).all()
        assert ((found.p_true > 0) & (found.p_true < 1)).all()

    @given(readings_of_images())
    def test_is_the_people_s_verdict_where_the_model_says_nothing(
        self, readings: Readings
    ) -> None:
        survey = joint(readings, {"z": [(EFFUSION, square(0.0))]})
        alone, found = (
            reconcile(survey.people, fitted_panel()),
            reconcile_joint(survey, fitted_panel()),
        )

        assert found.scores.tolist() == alone.scores.tolist()
        assert found.p_true.tolist() == alone.p_true.tolist()
        assert found.p_no_finding.tolist() == alone.p_no_finding.tolist()
        assert found.alternatives.scores.tolist() == alone.alternatives.scores.tolist()

    def test_counts_the_model_s_vote_and_its_silence(self) -> None:
        readings = votes_of(1, of=2)
        alone = reconcile(Survey.of(table_of(readings)), prior_panel()).p_true[0]

        marked = reconcile_joint(joint(readings, {"a": [(EFFUSION, square(5.0))]}), prior_panel())
        silent = reconcile_joint(joint(readings, {"a": []}), prior_panel())

        assert silent.p_true[0] < alone < marked.p_true[0]
        assert marked.states == silent.states
        assert marked.p_no_finding[0] < silent.p_no_finding[0]

    def test_asks_only_people_whether_an_image_is_normal(self) -> None:
        readings = votes_of(0, of=2)
        alone = reconcile(Survey.of(table_of(readings)), prior_panel())

        for marks in ([], [(EFFUSION, square(0.0))]):
            found = reconcile_joint(joint(readings, {"a": marks}), prior_panel())
            assert found.p_no_finding.tolist() == alone.p_no_finding.tolist()
            assert not len(found.images)


def detect(
    crowd: Crowd, *, seen: float, false_marks: float, rng: np.random.Generator
) -> dict[str, Marks]:
    """Let a made-up model mark a share of the lesions, and some places where nothing is."""
    found: dict[str, Marks] = {}
    for image_id, lesions in crowd.lesions.items():
        marks = [
            (finding, Box(*(np.array(box) + rng.normal(0.0, 4.0, 4)).tolist()))
            for finding, box in lesions
            if rng.random() < seen
        ]
        corners = rng.uniform(0.0, 1100.0, (rng.poisson(false_marks), 2))
        marks += [(FINDINGS[rng.integers(3)], square(x, y)) for x, y in corners.tolist()]
        found[image_id] = marks
    return found


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    rng = np.random.default_rng(8)
    readers = {name: Reader(logit=0.0, false_marks=0.2) for name in NAMES}
    return read_by(rng, readers, images=600, per_image=3, findings=FINDINGS)


def learned(crowd: Crowd, *, seen: float, false_marks: float) -> tuple[JointSurvey, Panel]:
    marks = detect(crowd, seen=seen, false_marks=false_marks, rng=np.random.default_rng(9))
    survey = joint(crowd.readings, marks)
    return survey, fit_joint_panel(survey)


def truth_of(crowd: Crowd, verdict: Verdict) -> list[float]:
    """Return 1 for each cluster that is a lesion, 0 for the others."""
    return [
        float(any(name == finding and _near(box, real) for name, real in crowd.lesions[image]))
        for image, finding, box in zip(
            [verdict.table.image_ids[image] for image in verdict.images],
            verdict.findings.tolist(),
            verdict.boxes,
            strict=True,
        )
    ]


def _near(box: Sequence[float], real: Box) -> bool:
    return bool(pairwise_iou(np.array([box]), np.array([real]))[0, 0] > 0.4)


class TestFitJointPanel:
    @pytest.mark.parametrize("seen", [0.9, 0.6, 0.3])
    def test_learns_how_much_the_model_sees(self, crowd: Crowd, seen: float) -> None:
        _, panel = learned(crowd, seen=seen, false_marks=0.3)

        row = panel.reader_ids.index("model:m1")
        assert sensitivity(panel.skill.logits[row, list(FINDINGS)]).mean() == pytest.approx(
            seen, abs=0.12
        )

    def test_believes_a_good_model_and_not_a_bad_one(self, crowd: Crowd) -> None:
        people = Survey.of(table_of(crowd.readings))
        alone = reconcile(people, fit_panel(people))
        truth = np.array(truth_of(crowd, alone))

        error = {
            name: brier_score(reconcile_joint(*joined).p_true, truth) or 0.0
            for name, joined in (
                ("good", learned(crowd, seen=0.9, false_marks=0.1)),
                ("bad", learned(crowd, seen=0.02, false_marks=3.0)),
            )
        }

        by_people = brier_score(alone.p_true, truth) or 0.0
        assert error["good"] < 0.6 * by_people
        assert error["bad"] < 1.1 * by_people

    def test_takes_a_person_for_the_next_reader(self, crowd: Crowd) -> None:
        survey, panel = learned(crowd, seen=0.99, false_marks=0.0)

        people = [row for row, one in enumerate(panel.reader_ids) if not is_model(one)]
        lowest, highest = (edge(panel.skill.logits[people], axis=0) for edge in (np.min, np.max))
        assert (lowest <= panel.skill.next_logit).all()
        assert (panel.skill.next_logit <= highest).all()
        row = panel.reader_ids.index("model:m1")
        assert (sigmoid(panel.skill.logits[row]) > sigmoid(panel.skill.next_logit)).all()
        assert panel.precision.reader_factor[row] == 1.0
        assert survey.people.table.reader_ids == NAMES

    def test_answers_one_image_like_all_of_them(self, crowd: Crowd) -> None:
        marks = detect(crowd, seen=0.7, false_marks=0.5, rng=np.random.default_rng(9))
        every = joint(crowd.readings, marks)
        panel = fit_joint_panel(every)
        together = reconcile_joint(every, panel)

        for image, image_id in enumerate(together.table.image_ids[:20]):
            own = {pair: of for pair, of in crowd.readings.items() if pair[0] == image_id}
            one = reconcile_joint(joint(own, {image_id: marks[image_id]}), panel)
            chosen = together.images == image
            assert one.p_true.tolist() == together.p_true[chosen].tolist()
            assert one.scores.tolist() == together.scores[chosen].tolist()
            assert one.p_no_finding[0] == together.p_no_finding[image]

    def test_learns_nothing_where_nothing_was_read(self) -> None:
        survey = joint({}, {})

        assert fit_joint_panel(survey).reader_ids == ()
        assert (survey.images, survey.model_only) == (0, 0)
        assert reconcile_joint(survey, prior_panel()).p_no_finding.tolist() == []
