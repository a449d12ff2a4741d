"""A receipt's document: the ERP's when it comes, else our own; and the proof that a file is a PDF."""
