"""Every query, one noun a file. A repository takes a session and never commits."""
