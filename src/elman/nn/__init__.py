"""Descriptions of a network: layers, initializers, losses, constraints, optimizers, schedules."""
