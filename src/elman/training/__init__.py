"""How a network learns: the plan of a fit, its epochs, its checkpoint, and learning one step at a time."""
