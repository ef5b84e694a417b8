"""HRSNN: recurrent networks of unlike neurons that learn by unlike STDP, from search to chip."""

from .encode import differences as differences
from .encode import grey_clip as grey_clip
from .laws import Law as Law
from .learn import learned as learned
from .learn import response as response
from .lowered import lowered as lowered
from .network import RecurrentNetwork as RecurrentNetwork
from .network import built as built
from .options import CELLS as CELLS
from .options import HrsnnOptions as HrsnnOptions
from .options import cell as cell
from .readout import features as features
from .readout import read_out as read_out
