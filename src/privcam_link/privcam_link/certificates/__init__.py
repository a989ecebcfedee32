"""The certificate authority of one installation."""
