"""Self-supervised pretraining: six objectives, PredNext, views, momentum encoders."""
