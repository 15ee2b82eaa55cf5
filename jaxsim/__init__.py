"""Monte Carlo: thousands of replicates of a loop at once, in JAX."""
