"""HRSNN: recurrent networks of unlike neurons that learn by unlike STDP, from search to chip."""

from .distributions import GammaDistribution as GammaDistribution
from .encode import frame_differences as frame_differences
from .encode import read_grayscale as read_grayscale
from .learn import simulate as simulate
from .learn import train_stdp as train_stdp
from .network import RecurrentNetwork as RecurrentNetwork
from .network import build_recurrent_network as build_recurrent_network
from .options import VARIANTS as VARIANTS
from .options import HrsnnOptions as HrsnnOptions
from .options import apply_variant as apply_variant
from .quantize import to_network as to_network
from .readout import extract_features as extract_features
from .readout import fit_readout as fit_readout
