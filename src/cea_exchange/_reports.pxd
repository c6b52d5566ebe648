# Nothing here for other compiled modules: Python calls _reports with the events of whole batches.
