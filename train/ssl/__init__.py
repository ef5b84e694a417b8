"""Learning without labels: six objectives, PredNext, views, momentum copies, several processes."""
