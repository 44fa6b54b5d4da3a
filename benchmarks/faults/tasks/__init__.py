"""The base tasks: small, healthy, on data that ships inside scikit-learn."""
