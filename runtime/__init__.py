"""Runtime: the intermediate representation, its integer arithmetic, engines and verification."""

from .arithmetic import lif_step as lif_step
from .connections import Conv as Conv
from .connections import Dense as Dense
from .connections import Sparse as Sparse
from .connections import SumPool as SumPool
from .early_exit import EarlyExit as EarlyExit
from .errors import PumiceError as PumiceError
from .files import network_digest as network_digest
from .files import read_network as read_network
from .files import read_program as read_program
from .files import write_network as write_network
from .files import write_program as write_program
from .network import Network as Network
from .population import Population as Population
from .program import Core as Core
from .program import Program as Program
from .program import Slice as Slice
from .projection import Projection as Projection
from .readout import Readout as Readout
from .trace import Trace as Trace
from .trace import accuracy_over_time as accuracy_over_time
from .trace import logits_over_time as logits_over_time
