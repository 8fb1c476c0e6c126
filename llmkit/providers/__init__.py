"""The providers: each speaks one protocol, and none knows another."""
