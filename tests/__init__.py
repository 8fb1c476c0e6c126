"""The tests, one module for each room of the package."""
