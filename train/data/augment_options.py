"""Options of augmentation: table `[augment]` of a recipe. Imports no torch."""

from pydantic import Field

from ...runtime.config import Options


class RandAugmentOptions(Options):
    """RandAugment (Cubuk et al., arXiv 1909.13719): random operations on each clip.

    - `operations`: operations applied to a clip, one after another.
    - `magnitude`: strength, 0 to 30. Binary events take the operations of space alone.
    """

    operations: int = Field(default=2, ge=1)
    magnitude: int = Field(default=9, ge=0, le=30)


class NdaOptions(Options):
    """Neuromorphic data augmentation (NDA, Li et al., ECCV 2022, arXiv 2203.06145).

    Each clip is rolled, rotated, sheared or cut out, as drawn. The strengths are this project's.

    - `operations`: operations applied to a clip, one after another.
    - `roll`: roll by up to so many pixels along each axis.
    - `rotate`, `shear`: rotate and shear by up to so many degrees.
    - `cutout`: side of the blank square, up to so many pixels.
    """

    operations: int = Field(default=1, ge=1)
    roll: int = Field(default=5, ge=0)
    rotate: float = Field(default=30.0, ge=0, le=180)
    shear: float = Field(default=17.0, ge=0, lt=90)
    cutout: int = Field(default=8, ge=0)


class MixOptions(Options):
    """Mixing of samples and of their labels; of several kinds, one is drawn for each batch.

    - `mixup`: alpha of mixup (arXiv 1710.09412): a sample is lambda times itself plus 1 - lambda
      times another, rounded, with lambda from Beta(alpha, alpha); 0 leaves it out. Binary events
      have no sums, so they take `cutmix` or `event_mix`.
    - `cutmix`: alpha of CutMix (arXiv 1905.04899): a rectangle of another sample; 0 leaves it out.
    - `event_mix`: alpha of EventMix (arXiv 2205.12054): a random region of space and time of
      another sample; labels are mixed by the numbers of events; 0 leaves it out.
    - `probability`: fraction of batches that are mixed.
    """

    mixup: float = Field(default=0.0, ge=0)
    cutmix: float = Field(default=0.0, ge=0)
    event_mix: float = Field(default=0.0, ge=0)
    probability: float = Field(default=1.0, ge=0, le=1)

    @property
    def kinds(self) -> dict[str, float]:
        """Chosen kinds of mixing with their alpha."""
        values = {name: getattr(self, name) for name in ("mixup", "cutmix", "event_mix")}
        return {name: alpha for name, alpha in values.items() if alpha}


class AugmentOptions(Options):
    """Augmentation of training clips: table `[augment]` of a recipe.

    - `crop`: random resized crop: smallest fraction of the frame's area that is cut out and resized
      to the whole frame; 0 leaves it out.
    - `shift`: translate by up to so many pixels along each axis, with zero padding.
    - `roll`: translate by up to so many pixels along each axis; what leaves comes in on the other
      side.
    - `flip`: mirror left to right with probability 1/2.
    - `cutout`: blank a square of so many pixels a side.
    - `rotate`, `shear`: rotate and shear by up to so many degrees.
    - `rand_augment`: random operations on images.
    - `nda`: random operations on events.
    - `mix`: mixing of samples and labels.
    - `frequency_mask`: blank up to so many neighboring rows, which are the bands of spectra.
    - `time_mask`: blank up to so many neighboring columns of the timesteps side by side, which are
      the windows of spectra (both masks: SpecAugment, Park et al., Interspeech 2019).
    - `frequency_warp`, `time_warp`: stretch or squeeze the rows, from the first one on, and the
      columns of all timesteps by up to so large a fraction: voices of other vocal tracts (VTLP,
      Jaitly and Hinton, ICML workshop 2013) and other speeds.
    """

    crop: float = Field(default=0.0, ge=0, le=1)
    shift: int = Field(default=0, ge=0)
    roll: int = Field(default=0, ge=0)
    flip: bool = False
    cutout: int = Field(default=0, ge=0)
    rotate: float = Field(default=0.0, ge=0, le=180)
    shear: float = Field(default=0.0, ge=0, lt=90)
    rand_augment: RandAugmentOptions | None = None
    nda: NdaOptions | None = None
    mix: MixOptions | None = None
    frequency_mask: int = Field(default=0, ge=0)
    time_mask: int = Field(default=0, ge=0)
    frequency_warp: float = Field(default=0.0, ge=0, lt=1)
    time_warp: float = Field(default=0.0, ge=0, lt=1)
