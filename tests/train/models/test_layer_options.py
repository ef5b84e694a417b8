from pumice.train.models.layer_options import SpikingLayerOptions
from pumice.train.models.neuron_options import NeuronOptions


def test_a_layer_takes_every_option_of_neurons() -> None:
    assert set(NeuronOptions.model_fields) <= set(SpikingLayerOptions.model_fields)
