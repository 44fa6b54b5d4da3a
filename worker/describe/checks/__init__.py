"""What ``describe`` looks at, one thing a module. Each measures; none judges."""
