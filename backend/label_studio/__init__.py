"""Label Studio: where reading happens; its words (task, annotation, result) stay in here."""
