from pumice.train.models.layer_options import SpikingLayerOptions
from pumice.train.models.neuron_options import OF_NETWORK, NeuronOptions


def test_a_layer_takes_every_option_of_neurons() -> None:
    own = set(NeuronOptions.model_fields) - {*OF_NETWORK}
    assert own <= set(SpikingLayerOptions.model_fields)
