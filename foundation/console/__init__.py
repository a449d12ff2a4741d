"""The frame of a web console: who is signed in, forms that nobody can forge, pages; no business."""
