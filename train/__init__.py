"""Training: data, neurons, networks, objectives, the fit loop, evaluation, recipes."""

from .architectures import network_of as network_of
from .checkpoint import Trained as Trained
from .checkpoint import read_trained as read_trained
from .checkpoint import write_trained as write_trained
from .converted import as_trained as as_trained
from .converted import converted as converted
from .dynamics import Rule as Rule
from .dynamics import integrate as integrate
from .evaluate import agreement as agreement
from .evaluate import calibration_errors as calibration_errors
from .evaluate import network_accuracies as network_accuracies
from .evaluate import network_answers as network_answers
from .evaluate import trained_accuracies as trained_accuracies
from .evaluate import trained_answers as trained_answers
from .evaluate import truncated as truncated
from .fit import fit as fit
from .layers import Layer as Layer
from .networks import SpikingNetwork as SpikingNetwork
from .networks import lowered as lowered
from .recipe import Recipe as Recipe
from .recipe import read_recipe as read_recipe
from .recipe import shipped_recipes as shipped_recipes
