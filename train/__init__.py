"""Training: data, neurons, networks, objectives, the fit loop, evaluation, recipes."""

from .engine.checkpoint import TrainedModel as TrainedModel
from .engine.checkpoint import read_trained_model as read_trained_model
from .engine.checkpoint import write_trained_model as write_trained_model
from .engine.fit import train_recipe as train_recipe
from .evaluation.evaluate import accuracy_from_logits as accuracy_from_logits
from .evaluation.evaluate import expected_calibration_error as expected_calibration_error
from .evaluation.evaluate import model_accuracy as model_accuracy
from .evaluation.evaluate import network_accuracy as network_accuracy
from .evaluation.evaluate import predict_logits as predict_logits
from .evaluation.evaluate import prediction_agreement as prediction_agreement
from .evaluation.evaluate import run_logits as run_logits
from .export import convert as convert
from .export import import_trained_model as import_trained_model
from .models import build_model as build_model
from .nn.layers import SpikingLayer as SpikingLayer
from .nn.network import SpikingNetwork as SpikingNetwork
from .nn.network import to_float_network as to_float_network
from .nn.neuron import NeuronConfig as NeuronConfig
from .nn.neuron import lif as lif
from .recipes.recipe import Recipe as Recipe
from .recipes.recipe import list_recipes as list_recipes
from .recipes.recipe import load_recipe as load_recipe
