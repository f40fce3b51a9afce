"""What the readers say together."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.domain.consensus.clusters import ClusterState
from backend.store.tables.columns import BoxColumns, Table, box_rules, finding_rule, known


class ConsensusRow(Table):
    """The readers' common answer for an image; older answers stay readable."""

    __tablename__ = "consensus"
    __table_args__ = (
        UniqueConstraint("image_id", "method_version", "readings_sha256"),
        CheckConstraint("p_no_finding BETWEEN 0 AND 1", name="p_no_finding_is_share"),
        Index(
            "uq_consensus_current",
            "image_id",
            unique=True,
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[str] = mapped_column(ForeignKey("image.id"))
    method_version: Mapped[str]
    readings_sha256: Mapped[str] = mapped_column(String(64))
    p_no_finding: Mapped[float]
    is_current: Mapped[bool]
    reached_at: Mapped[datetime]
    verdict_version: Mapped[str] = mapped_column(server_default="")


class ConsensusReadingRow(Table):
    """A reading that a consensus was made of."""

    __tablename__ = "consensus_reading"

    consensus_id: Mapped[int] = mapped_column(ForeignKey("consensus.id"), primary_key=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("reading.id"), primary_key=True)


class ClusterRow(BoxColumns, Table):
    """A lesion as the readers see it together."""

    __tablename__ = "cluster"
    __table_args__ = (
        *box_rules(),
        known("state", ClusterState),
        CheckConstraint("score BETWEEN 0 AND 1", name="score_is_share"),
        CheckConstraint("p_true BETWEEN 0 AND 1", name="p_true_is_share"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    consensus_id: Mapped[int] = mapped_column(ForeignKey("consensus.id"), index=True)
    score: Mapped[float]
    p_true: Mapped[float]
    state: Mapped[str]
    place: Mapped[int] = mapped_column(server_default=text("0"))


class AlternativeRow(Table):
    """Another finding that a cluster may be."""

    __tablename__ = "cluster_alternative"
    __table_args__ = (
        finding_rule(),
        CheckConstraint("score BETWEEN 0 AND 1", name="score_is_share"),
    )

    cluster_id: Mapped[int] = mapped_column(ForeignKey("cluster.id"), primary_key=True)
    finding: Mapped[int] = mapped_column(primary_key=True)
    score: Mapped[float]


class SupporterRow(Table):
    """A reader's box that a cluster was fused from."""

    __tablename__ = "cluster_supporter"

    cluster_id: Mapped[int] = mapped_column(ForeignKey("cluster.id"), primary_key=True)
    read_box_id: Mapped[int] = mapped_column(ForeignKey("read_box.id"), primary_key=True)


class ReaderPanelRow(Table):
    """What was known of the readers when a consensus was reached; at most one is current."""

    __tablename__ = "reader_panel"
    __table_args__ = (
        UniqueConstraint("method_version"),
        Index(
            "uq_reader_panel_current",
            "is_current",
            unique=True,
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    method_version: Mapped[str] = mapped_column(String(64))
    parameters: Mapped[str] = mapped_column(Text)
    fitted_at: Mapped[datetime]
    is_current: Mapped[bool]
