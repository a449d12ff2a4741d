"""The chain as the use cases ask for it: Polygon, its nodes, what they answer."""
