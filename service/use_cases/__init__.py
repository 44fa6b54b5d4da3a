"""What can be done with each noun, whoever asks: API, pages, commands and conductor call it."""
