"""One network's parameters and state, what can be computed with them, and the file that keeps them."""
