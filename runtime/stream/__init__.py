"""Networks run live: events in, answers out, in bounded memory."""

from .answer import Answer as Answer
from .answer import Keep as Keep
from .answer import answered as answered
from .decode import FiveByte as FiveByte
from .decode import Format as Format
from .decode import Lines as Lines
from .decode import decoder as decoder
from .events import Piece as Piece
from .events import Tally as Tally
from .latest import latest as latest
from .recorded import recording as recording
from .sources import listened as listened
from .sources import paced as paced
from .sources import read_pieces as read_pieces
from .sources import socket_pieces as socket_pieces
from .windows import Sensor as Sensor
from .windows import Window as Window
from .windows import sensor_for as sensor_for
from .windows import windows as windows
