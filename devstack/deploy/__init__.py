"""A package onto a Functions app in Azure, and proof that its functions are there."""
