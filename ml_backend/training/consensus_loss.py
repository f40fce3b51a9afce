"""A detection loss that trusts a box as far as the readers' consensus does.

The loss of ultralytics' own detectors, with one change each, for heads of YOLOv8 to YOLO26. With
every weight at 1 both variants are that loss, exactly.
"""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from ml_backend.ultralytics_settings import import_part

_loss = import_part("utils.loss")
_StockLoss: Any = _loss.v8DetectionLoss

WEIGHTS = "box_weights"
"""Where a batch carries the weight of each of its boxes; without it every box counts fully."""


class WeightedAssigner(nn.Module):
    """Hands anchors to boxes as its inner assigner does, and knows each anchor's weight.

    Parameters
    ----------
    inner : nn.Module
        The task-aligned assigner of ultralytics.
    is_soft : bool
        Whether the class targets are multiplied by the weights.
    """

    def __init__(self, inner: nn.Module, *, is_soft: bool) -> None:
        super().__init__()
        self.inner = inner
        self.is_soft = is_soft
        self.of_boxes: Tensor | None = None
        self.of_anchors: Tensor | None = None

    @override
    def forward(self, *arguments: Any, **options: Any) -> tuple[Tensor, ...]:
        """Assign.

        Parameters
        ----------
        *arguments, **options : Any
            What the inner assigner takes.

        Returns
        -------
        tuple of Tensor
            What the inner assigner returns, with soft class targets if wanted.
        """
        labels, boxes, targets, is_positive, box_of_anchor = self.inner(*arguments, **options)
        self.of_anchors = None
        if self.of_boxes is not None and self.of_boxes.shape[1]:
            weights = self.of_boxes.gather(1, box_of_anchor.long())
            self.of_anchors = weights.where(is_positive.bool(), torch.ones_like(weights))
            if self.is_soft:
                targets = targets * self.of_anchors.unsqueeze(-1).to(targets.dtype)
        return labels, boxes, targets, is_positive, box_of_anchor


class SoftTargetLoss(_StockLoss):  # type: ignore[misc] # ultralytics ships no types
    """Asks for a class score of t·q where the stock loss asks for t.

    The weight of the box terms and the normaliser, which ultralytics derives from the targets,
    follow. A detector so trained says how likely a further reader is to agree.

    Parameters
    ----------
    *arguments : Any
        What the stock loss takes.
    **options : Any
        What the stock loss takes.
    """

    is_soft = True
    assigner: Any
    bce: Any
    bbox_loss: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*arguments, **options)
        self.assigner = WeightedAssigner(self.assigner, is_soft=self.is_soft)

    def get_assigned_targets_and_loss(
        self,
        preds: dict[str, Tensor],
        batch: dict[str, Any],
        **options: Any,  # noqa: ANN401 - passed on
    ) -> Any:  # noqa: ANN401 - ultralytics ships no types
        """Return targets and loss of a batch.

        Parameters
        ----------
        preds : dict of str to Tensor
            What the head says.
        batch : dict
            With the weights of the boxes under `WEIGHTS`.
        **options : Any
            What the stock loss takes.

        Returns
        -------
        tuple
            What the stock loss returns.
        """
        self.assigner.of_boxes = self._padded(batch, preds["boxes"].shape[0])
        return super().get_assigned_targets_and_loss(preds, batch, **options)

    def _padded(self, batch: dict[str, Any], images: int) -> Tensor | None:
        """Return the weights by image, in the order in which the loss pads the boxes."""
        weights = batch.get(WEIGHTS)
        if weights is None:
            return None
        rows = [batch["batch_idx"].view(-1, 1), batch["cls"].view(-1, 1), batch["bboxes"]]
        table = torch.cat([*rows, weights.view(-1, 1)], 1).to(self.device)
        padded: Tensor = self.preprocess(table, images, torch.ones(4, device=self.device))
        return padded[..., 5]


class EarlLoss(SoftTargetLoss):
    """Multiplies what every positive anchor adds to the loss by the weight of its box.

    Parameters
    ----------
    *arguments : Any
        What the stock loss takes.
    **options : Any
        What the stock loss takes.

    References
    ----------
    K. H. Le et al., "Learning from multiple expert annotators for enhancing anomaly detection in
    medical image analysis", IEEE Access 2023.
    """

    is_soft = False

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*arguments, **options)
        self._plain_bce, self._plain_boxes = self.bce, self.bbox_loss
        self.bce, self.bbox_loss = self._weighted_bce, self._weighted_boxes

    def _weighted_bce(self, scores: Tensor, targets: Tensor) -> Tensor:
        losses: Tensor = self._plain_bce(scores, targets)
        weights = self.assigner.of_anchors
        return losses if weights is None else losses * weights.unsqueeze(-1).to(losses.dtype)

    def _weighted_boxes(self, *arguments: Any) -> Any:  # noqa: ANN401 - passed on
        weights, (*before, targets, total, positive, size, stride) = (
            self.assigner.of_anchors,
            arguments,
        )
        if weights is not None:
            targets = targets * weights.unsqueeze(-1).to(targets.dtype)
        return self._plain_boxes(*before, targets, total, positive, size, stride)


def weighted_criterion(network: Any, loss: type[SoftTargetLoss]) -> Any:  # noqa: ANN401 - no types
    """Return the loss of a network's head with weights of boxes.

    Parameters
    ----------
    network : DetectionModel
        A detector of ultralytics.
    loss : type of SoftTargetLoss
        The variant.

    Returns
    -------
    callable
        For `network.criterion`; one for each half of an end-to-end head.
    """
    if getattr(network.model[-1], "one2one_cv2", None) is not None:
        return _loss.E2ELoss(network, loss)
    return loss(network)
