"""The whole system on one machine: real storage, a real chain, real contracts, the real worker."""
