"""What is published or handed out of a day: bulletins and statements, as values and as files."""
