"""A training step from a forward pass: loss, backward pass and optimizer, for what is trained and nothing else."""

from neupims.graph.training.step import training_step as training_step
