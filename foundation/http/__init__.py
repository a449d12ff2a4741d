"""HTTP for both apps: responses, problem documents, and the frame every handler runs in."""
