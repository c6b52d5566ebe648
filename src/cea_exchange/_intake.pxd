# Nothing here for other compiled modules: Python calls _intake with the commands of whole batches.
