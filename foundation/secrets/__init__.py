"""Where secrets come from, and who this service is to Azure."""
