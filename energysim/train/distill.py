"""Knowledge distillation: a small network learns from a large one's answers as well as from the labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from energysim.errors import EnergySimError
from energysim.train.hooks import Hook, TrainState


class DistillationError(EnergySimError):
    """A temperature or share that makes no sense."""


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 * KL(softmax(teacher / T) || softmax(student / T)), mean over the batch (Hinton et al., 2015).

    ``student``, ``teacher``: logits [N, classes].
    """
    log_student = F.log_softmax(student / temperature, dim=1)
    log_teacher = F.log_softmax(teacher / temperature, dim=1)
    divergence = F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)
    return divergence * temperature**2


class Distillation(Hook):
    """loss = (1 - share) * loss + share * distillation_loss; ``teacher`` is trained, and stays as it is."""

    name = "distillation"

    def __init__(self, teacher: nn.Module, temperature: float = 4.0, share: float = 0.7) -> None:
        if temperature <= 0:
            raise DistillationError(f"a temperature of {temperature} is not possible", hint="above 0; 2 to 10 is usual")
        if not 0 <= share <= 1:
            raise DistillationError(f"a share of {share} of the loss is not possible", hint="0 to 1")
        self.teacher, self.temperature, self.share = teacher.eval().requires_grad_(False), temperature, share

    def loss(self, images: Tensor, logits: Tensor, targets: Tensor, loss: Tensor, state: TrainState) -> Tensor:
        with torch.no_grad():
            taught = self.teacher.to(images.device)(images)
        return (1 - self.share) * loss + self.share * distillation_loss(
            logits.float(), taught.float(), self.temperature
        )
